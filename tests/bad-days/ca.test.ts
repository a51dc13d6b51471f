/** A real step-ca is away for a week, by clocks that the test moves: every certificate ends, packets do not, and all comes back with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CaReply } from '@vrouter/api/rest/ca.ts';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { type Launch, type Network, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { PROVISIONER, StepLab } from '../step-ca/lab.ts';
import { environmentOf, withNetwork } from '../thread/network.ts';
import { needs } from '../world/needs.ts';
import { Clock } from './clock.ts';
import { isOnThePlane, passes } from './network.ts';

const WEEK_HOURS = 7 * 24;
const HOUR_MS = 3_600_000;

async function ca(network: Network): Promise<CaReply> {
  const { VROUTER_CONTROLLER: url, VROUTER_TOKEN: token } = environmentOf(network);
  return (await (await fetch(`${url}/v1/ca`, { headers: { authorization: `Bearer ${token}` } })).json()) as CaReply;
}

test('the CA is away for a week: packets pass, all is told, and everything comes back with it', {
  skip: needs('step-ca', 'faketime'),
  timeout: 240_000,
}, async () => {
  await using lab = await StepLab.start();
  const provisioner = ['--step-ca-provisioner', PROVISIONER, '--step-ca-password-file', lab.passwordFile];
  const stepCa = ['--step-ca', lab.url, '--step-ca-fingerprint', lab.fingerprint, ...provisioner];
  let clock: Clock | null = null;
  const launch = (folder: string) => {
    clock = new Clock(folder);
    return (name: string, plain: Launch) =>
      clock!.under(name === 'controller' ? { ...plain, args: [...plain.args, ...stepCa] } : plain);
  };
  await withNetwork({ wireguardGo: false, launch }, async (network) => {
    await passes(network);
    const { engine, pid } = await network.gateway.status();
    assert.equal((await ca(network)).state, 'working');
    await lab.down();
    // Within the certificate's life changes go on; its renewals wait.
    await clock!.set(5);
    const { publicKey } = await newKeyPair();
    await network.controller.createPeer(VROUTER, { name: 'meanwhile', publicKey });
    await isOnThePlane(network, 'meanwhile');
    const failing = await waitFor('the controller to notice', 40_000, async () => {
      const told = await ca(network);
      return told.state === 'failing' ? told : null;
    });
    assert.match(failing.lastError ?? '', /ECONNREFUSED/);
    for (const hours of [12, 30, 100, WEEK_HOURS]) {
      await clock!.set(hours);
      await passes(network);
    }
    const { certificate } = await network.controller.status(VROUTER);
    assert.equal(certificate?.state, 'ended');
    assert.ok(certificate!.lockoutInMs > 0, 'by the last hours');
    assert.notEqual((await network.gateway.status()).controller.state, 'none');

    lab.clockSeconds = WEEK_HOURS * 3600;
    await lab.up();
    await waitFor('the listener to have another certificate', 40_000, async () => {
      const { state, serverCertificateExpiresUnixMs: ends } = await ca(network);
      return state === 'working' && ends > Date.now() + WEEK_HOURS * HOUR_MS ? true : null;
    });
    const carol = await newKeyPair();
    await network.controller.createPeer(VROUTER, { name: 'carol', publicKey: carol.publicKey });
    // A gateway that was refused asks again every five minutes; a person need not wait so long, and a test neither.
    await network.gateway.renewCertificate();
    await isOnThePlane(network, 'carol', 60_000);
    assert.equal((await network.controller.status(VROUTER)).certificate?.state, 'good');
    const after = await network.gateway.status();
    assert.deepEqual([after.engine, after.pid, after.controller.certificateState], [engine, pid, 'good']);
    await passes(network);
  });
});
