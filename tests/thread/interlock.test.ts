/** A controller that suddenly knows much less is not believed at once; one person's word, on either side, is enough. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { type Network, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from './network.ts';

async function addPeers(network: Network, names: readonly string[]): Promise<void> {
  for (const name of names)
    await network.controller.createPeer(VROUTER, { name, publicKey: (await newKeyPair()).publicKey });
}

/** Peers leave while the gateway is away, so that it learns of all of them at once. */
async function removeUnseen(network: Network, names: readonly string[]): Promise<void> {
  await network.child('gateway').stop();
  for (const name of names) await network.controller.removePeer(VROUTER, name);
  await network.startGateway({ controllerIsAway: true });
}

function peersOf(network: Network): Promise<number> {
  return network.gateway.peers().then((peers) => peers.length);
}

test('a large shrink is held, shown on both sides, and taken after a word on either', {
  timeout: 120_000,
}, async () => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const names = Array.from({ length: 38 }, (_, i) => `p${i}`);
    await addPeers(network, names);
    await waitFor('40 peers', 10_000, async () => ((await peersOf(network)) === 40 ? true : null));

    await removeUnseen(network, names.slice(0, 12));
    const held = await waitFor('the hold', 15_000, async () => (await network.gateway.status()).held);
    assert.equal(held.removes, 12);
    assert.equal(await peersOf(network), 40);
    await waitFor('the controller to know', 15_000, async () => (await network.controller.status(VROUTER)).held);
    await network.gateway.confirmHeld();
    await waitFor('the shrink', 2000, async () => ((await peersOf(network)) === 28 ? true : null));
    assert.equal((await network.gateway.status()).held, null);

    await removeUnseen(network, names.slice(12, 24));
    await waitFor('the second hold', 15_000, async () => (await network.gateway.status()).held);
    await network.controller.confirmShrink(VROUTER);
    await waitFor('the second shrink', 15_000, async () => ((await peersOf(network)) === 16 ? true : null));
  });
});
