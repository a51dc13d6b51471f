/**
 * Logins on machines without a browser (RFC 8628). The controller is the device: it asks the provider for the codes and later for the
 * token, which so never passes through other hands, and needs no nonce, which many providers leave out here. What it must remember
 * meanwhile, whoever logs in carries, sealed; so any controller on the same store goes on with it, and a stranger fills no memory.
 */
import type { DeviceReply } from '@vrouter/api/rest/login.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { z } from 'zod';
import { sha256Hex } from '../ca/keys.ts';
import { seal, unseal } from '../rest/sealed.ts';
import { DoubtError } from './id-token.ts';
import { NONCE_LIFE_MS } from './nonce.ts';
import type { Provider } from './provider.ts';

const SCOPE = 'login/device';
/** RFC 8628, section 3.2 */
const INTERVAL_S = 5;

const carried = z.strictObject({ code: z.string(), expiresUnixMs: z.number() });

export class Devices {
  readonly #provider: Provider;
  readonly #key: string;
  readonly #unixMs: () => number;

  constructor(provider: Provider, key: Uint8Array, unixMs: () => number) {
    this.#provider = provider;
    this.#key = Buffer.from(key).toString('base64url');
    this.#unixMs = unixMs;
  }

  /** Throws `login.notOffered`, `login.unavailable`. */
  async begin(scopes: readonly string[]): Promise<DeviceReply> {
    const begun = await this.#provider.beginDevice(scopes);
    const expiresUnixMs = this.#unixMs() + Math.min(begun.expires_in * 1000, NONCE_LIFE_MS);
    return {
      device: seal(this.#key, SCOPE, JSON.stringify({ code: begun.device_code, expiresUnixMs })),
      userCode: begun.user_code,
      verificationUri: begun.verification_uri,
      verificationUriComplete: begun.verification_uri_complete ?? null,
      intervalSeconds: Math.max(1, Math.ceil(begun.interval ?? INTERVAL_S)),
      expiresUnixMs,
    };
  }

  /** The ID token, and what makes it the only one. Throws DoubtError, ProblemError `login.pending`, `request.limited`, `login.unavailable`. */
  async ask(handle: string): Promise<{ idToken: string; once: { hash: string; expiresUnixMs: number } }> {
    const { code, expiresUnixMs } = openHandle(this.#key, handle);
    if (expiresUnixMs <= this.#unixMs()) throw new DoubtError('device');
    const said = await this.#provider.askDevice(code);
    if (said === 'pending') throw new ProblemError(problem('login.pending', 'the person has not logged in yet'));
    if (said === 'tooSoon') {
      const hint = 'the provider wants to be asked less often; wait 5 s longer';
      throw new ProblemError(problem('request.limited', hint));
    }
    return { idToken: said.idToken, once: { hash: sha256Hex(code), expiresUnixMs } };
  }
}

/** What a handle carries. Throws DoubtError. */
export function openHandle(key: string, handle: string): z.output<typeof carried> {
  try {
    return carried.parse(JSON.parse(unseal(key, SCOPE, handle)));
  } catch {
    throw new DoubtError('device');
  }
}
