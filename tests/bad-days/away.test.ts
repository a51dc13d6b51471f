/** The controller is away for a day, by clocks that the test moves: certificates end, packets do not, and all comes back by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { type Launch, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from '../thread/network.ts';
import { needs } from '../world/needs.ts';
import { Clock } from './clock.ts';
import { isOnThePlane, passes } from './network.ts';

const HOUR_MS = 3_600_000;

test('the controller is away for a day: packets pass, the ended certificate is renewed on its return, and a change arrives', {
  skip: needs('faketime'),
  timeout: 180_000,
}, async () => {
  let clock: Clock | null = null;
  const launch = (folder: string) => {
    clock = new Clock(folder);
    return (_name: string, plain: Launch) => clock!.under(plain);
  };
  await withNetwork({ wireguardGo: false, launch }, async (network) => {
    await passes(network);
    const before = await network.gateway.status();
    const child = network.child('controller');
    child.process.kill('SIGKILL');
    await child.ended;
    for (const hours of [3, 6, 12, 24]) {
      await clock!.set(hours);
      await passes(network);
    }
    const lonely = await waitFor('it to be told', 20_000, async () => {
      const status = await network.gateway.status();
      return status.controller.state === 'unreachable' ? status : null;
    });
    assert.match(lonely.controller.lastError ?? '', /controller\.unreachable/);
    assert.ok(lonely.controller.certificateExpiresUnixMs! < Date.now() + 24 * HOUR_MS, 'the certificate has ended');
    assert.deepEqual(lonely.engine, before.engine, 'and the engine is the one of before');
    assert.equal(lonely.pid, before.pid);

    await network.startController();
    const { certificate } = await network.controller.status(VROUTER);
    assert.equal(certificate?.state, 'ended');
    const { publicKey } = await newKeyPair();
    await network.controller.createPeer(VROUTER, { name: 'carol', publicKey });
    await isOnThePlane(network, 'carol', 60_000);
    const after = await network.controller.status(VROUTER);
    assert.equal(after.certificate?.state, 'good');
    assert.ok(after.certificateExpiresUnixMs! > Date.now() + 30 * HOUR_MS);
    assert.equal((await network.gateway.status()).controller.certificateState, 'good');
    await passes(network);
  });
});
