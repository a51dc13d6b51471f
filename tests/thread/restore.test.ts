/** A controller that was restored from yesterday and a real gateway that has today: the network stays as it is until a person says otherwise. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, renameSync } from 'node:fs';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { type Network, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from './network.ts';

const CONTROLLER = fileURLToPath(new URL('../../programs/controller/main.ts', import.meta.url));

async function addPeers(network: Network, ...names: string[]): Promise<void> {
  for (const name of names)
    await network.controller.createPeer(VROUTER, { name, publicKey: (await newKeyPair()).publicKey });
}

const namesOf = async (network: Network): Promise<string> =>
  (await network.controller.peers(VROUTER)).peers
    .map(({ name }) => name)
    .sort()
    .join(' ');

const countOf = async (network: Network): Promise<number> => (await network.gateway.peers()).length;

test('a restored controller takes nothing from a gateway before a word', { timeout: 120_000 }, async () => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const [data, backup] = [network.path('controller'), network.path('yesterday.backup')];
    execFileSync(process.execPath, [CONTROLLER, 'backup', '--data', data, '--to', backup], { stdio: 'pipe' });
    // So few that the interlock of the gateway alone would let them go.
    await addPeers(network, 'c', 'd', 'e');
    await waitFor('5 peers', 10_000, async () => ((await countOf(network)) === 5 ? true : null));

    await network.child('controller').stop();
    renameSync(data, network.path('lost'));
    execFileSync(process.execPath, [CONTROLLER, 'restore', '--data', data, '--from', backup], { stdio: 'pipe' });
    // The person's own, where there is one; the store has its hash.
    const token = network.path('lost', 'admin-token');
    if (existsSync(token)) cpSync(token, network.path('controller', 'admin-token'));
    await network.startController();
    assert.equal(await namesOf(network), 'alice bob');
    const held = await waitFor('the hold', 30_000, async () => (await network.controller.status(VROUTER)).held);
    assert.match(held.reason, /restored/);
    assert.equal(await countOf(network), 5);

    // Four more, so that the controller is past the version that the gateway has: still not the same.
    await addPeers(network, 'f', 'g', 'h', 'i');
    await delay(1500);
    assert.equal(await countOf(network), 5);
    const status = await network.gateway.status();
    assert.equal(status.controller.state, 'connected');
    const now = await network.controller.status(VROUTER);
    assert.ok(now.version > status.storedVersion);
    assert.notEqual(now.held, null);

    await network.controller.confirmShrink(VROUTER);
    await waitFor('what the controller has', 10_000, async () => ((await countOf(network)) === 6 ? true : null));
    assert.equal(await namesOf(network), 'alice bob f g h i');
    await waitFor('the end of the hold', 15_000, async () =>
      (await network.controller.status(VROUTER)).held === null ? true : null,
    );
  });
});
