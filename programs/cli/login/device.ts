/** A login on a machine without a browser: the controller asks the provider, we ask the controller, the person types in a code elsewhere. */
import { setTimeout as delay } from 'node:timers/promises';
import { deviceReply, type LoginReply, loginReply } from '@vrouter/api/rest/login.ts';
import type { Controller } from '../clients/controller.ts';
import { Failure } from '../failure.ts';

/** RFC 8628, section 3.5 */
const SLOWER_MS = 5000;

/** `tell` is handed what the person must know. Failures of the controller, and `timeout`. */
export async function byDevice(
  controller: Controller,
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<LoginReply> {
  const begun = (await controller.post('/v1/login/device', undefined, deviceReply)).data;
  const { device, userCode, verificationUri, verificationUriComplete, intervalSeconds } = begun;
  tell(`on any machine, open ${verificationUri}\nand type in this code: ${userCode}`);
  if (verificationUriComplete !== null) tell(`or open ${verificationUriComplete}`);
  for (let waitMs = intervalSeconds * 1000; !signal.aborted; ) {
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    try {
      return (await controller.create('/v1/login', { device }, loginReply)).data;
    } catch (thrown) {
      const code = thrown instanceof Failure ? thrown.code : null;
      if (code === 'request.limited') waitMs += SLOWER_MS;
      else if (code !== 'login.pending') throw thrown;
    }
  }
  throw new Failure('timeout', 'nobody logged in in time; start again');
}
