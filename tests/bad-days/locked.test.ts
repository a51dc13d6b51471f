/** Somebody else holds the lock of a database, as a backup tool or a forgotten sqlite3 does: changes wait and are told, the rest goes on. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { type Network, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from '../thread/network.ts';
import { isOnThePlane, passes } from './network.ts';

const options = { wireguardGo: false };
const timeout = 120_000;

/** Takes the one lock for writers, until it is disposed of. */
function lock(path: string): Disposable {
  const db = new DatabaseSync(path);
  db.exec('BEGIN IMMEDIATE');
  return { [Symbol.dispose]: () => db.close() };
}

async function add(network: Network, name: string): Promise<number> {
  const { publicKey } = await newKeyPair();
  return (await network.controller.createPeer(VROUTER, { name, publicKey })).version;
}

test('the controller’s database is locked: changes are refused after two seconds, polls and packets go on', {
  timeout,
}, async () => {
  await withNetwork(options, async (network) => {
    const held = lock(network.path('controller', 'controller.db'));
    const began = performance.now();
    for (const name of ['lost', 'lost-too'])
      await assert.rejects(add(network, name), (thrown) => {
        assert.ok(thrown instanceof ProblemError);
        assert.equal(thrown.problem.code, 'store.unavailable');
        assert.match(thrown.message, /database is locked/);
        return true;
      });
    assert.ok(performance.now() - began > 3500, 'it has waited for the lock');
    const { lastPollUnixMs } = await network.controller.status(VROUTER);
    await passes(network);
    await waitFor('another poll', 25_000, async () =>
      (await network.controller.status(VROUTER)).lastPollUnixMs! > lastPollUnixMs! ? true : null,
    );
    assert.equal((await network.gateway.status()).controller.state, 'connected');
    held[Symbol.dispose]();
    await add(network, 'after');
    await isOnThePlane(network, 'after');
    const names = (await network.controller.peers(VROUTER)).peers.map((peer) => peer.name);
    assert.deepEqual(names.sort(), ['after', 'alice', 'bob'], 'and what was refused was not made');
    assert.ok(!network.child('controller').hasEnded);
  });
});

test('the gateway’s database is locked: a change waits until it can be stored, packets go on', {
  timeout,
}, async () => {
  await withNetwork(options, async (network) => {
    const held = lock(network.path('gateway', 'vrouterd.db'));
    const version = await add(network, 'late');
    const failing = await waitFor('the controller to hear of it', 25_000, async () => {
      const { errors } = await network.controller.status(VROUTER);
      return errors.find(({ key }) => key === 'store') ?? null;
    });
    assert.equal(failing.code, 'data.unwritable');
    assert.match(failing.message, /vrouterd\.db cannot be written now \(database is locked\)/);
    assert.ok((await network.gateway.status()).storedVersion < version);
    assert.ok(!(await network.gateway.peers()).some(({ name }) => name === 'late'), 'not stored, not made true');
    await passes(network);
    held[Symbol.dispose]();
    await isOnThePlane(network, 'late', 30_000);
    await waitFor('all to be well', 15_000, async () =>
      (await network.controller.status(VROUTER)).errors.length === 0 ? true : null,
    );
    assert.ok(!network.child('gateway').hasEnded);
    const log = readFileSync(network.path('logs', 'gateway.log'), 'utf8');
    assert.equal(log.match(/cannot be written now/g)?.length, 1, 'told once, not at every poll');
  });
});
