/**
 * A controller says what its own checks would not have let through, as one of another version might: a delta with overlapping allowed IPs,
 * bad objects among many. The state is written into its database, hash and all; from there on every program is the real one.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { canonicalJson, type Json } from '@vrouter/core/json.ts';
import { StateHash } from '@vrouter/intent/version/hash.ts';
import { type Network, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from '../thread/network.ts';
import { passes } from './network.ts';

const options = { wireguardGo: false };
const timeout = 120_000;
const sha256 = (text: string): Uint8Array => createHash('sha256').update(text, 'utf8').digest();

/** One more version of the vrouter, made past the controller, which is down meanwhile; returns it. */
async function smuggle(
  network: Network,
  puts: readonly { key: string; body: { [name: string]: Json } }[],
): Promise<number> {
  const child = network.child('controller');
  child.process.kill('SIGKILL');
  await child.ended;
  const db = new DatabaseSync(network.path('controller', 'controller.db'));
  const row = db.prepare('SELECT id, version FROM vrouters WHERE name = ?').get(VROUTER)!;
  const [id, version] = [String(row.id), Number(row.version) + 1];
  const hash = new StateHash(sha256);
  for (const { key, body } of puts)
    db.prepare(`INSERT INTO intents ("vrouterId", key, body) VALUES (?, ?, ?)`).run(id, key, canonicalJson(body));
  for (const { key, body } of db.prepare('SELECT key, body FROM intents WHERE "vrouterId" = ?').all(id))
    hash.add(String(key), JSON.parse(String(body)));
  for (const [ordinal, { key, body }] of puts.entries())
    db.prepare(
      `INSERT INTO changes ("vrouterId", version, ordinal, op, key, body, hash, "atUnixMs") VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(id, version, ordinal, 'put', key, canonicalJson(body), hash.hex(), Date.now());
  db.prepare('UPDATE vrouters SET version = ?, "stateHash" = ? WHERE id = ?').run(version, hash.hex(), id);
  db.close();
  await network.startController();
  return version;
}

async function peerOf(name: string, allowedIps: readonly string[]) {
  const { publicKey } = await newKeyPair();
  const rest = { presharedKey: null, allowedIps: [...allowedIps], endpoint: null, persistentKeepalive: 0 };
  return { key: `peer/wg0/${publicKey}`, body: { kind: 'peer', interface: 'wg0', publicKey, name, ...rest } };
}

async function applied(network: Network, version: number) {
  return waitFor(`version ${version} to be told of`, 40_000, async () => {
    const status = await network.controller.status(VROUTER);
    return status.appliedVersion === version ? status : null;
  });
}

test('a delta with overlapping allowed IPs: the first holder keeps them, the rest applies, and both sides are told', {
  timeout,
}, async () => {
  await withNetwork(options, async (network) => {
    const alice = (await network.gateway.peers()).find((peer) => peer.name === 'alice')!;
    const [hers] = alice.allowedIps;
    const thief = await peerOf('thief', [hers!, '10.200.0.1/32']);
    // Within a delta too, and a prefix within another's, which is none: the longer one counts.
    const [first, second] = [await peerOf('first', ['10.201.0.0/24']), await peerOf('second', ['10.201.0.0/24'])];
    const inner = await peerOf('inner', ['10.201.0.7/32']);
    const fine = await peerOf('fine', ['10.202.0.1/32']);
    const version = await smuggle(network, [thief, first, second, inner, fine]);
    const { errors, connected } = await applied(network, version);
    assert.ok(connected);
    assert.deepEqual(errors.map(({ key }) => key).sort(), [thief.key, second.key].sort());
    for (const { code, message } of errors) {
      assert.equal(code, 'intent.conflict');
      assert.match(message, /10\.77\.0\.2\/32|10\.201\.0\.0\/24/);
    }
    const has = new Map((await network.gateway.peers()).map((peer) => [peer.name, peer.allowedIps]));
    assert.deepEqual(has.get('alice'), alice.allowedIps);
    assert.deepEqual(has.get('thief'), ['10.200.0.1/32']);
    assert.deepEqual([has.get('first'), has.get('second')], [['10.201.0.0/24'], []]);
    assert.deepEqual([has.get('inner'), has.get('fine')], [['10.201.0.7/32'], ['10.202.0.1/32']]);
    await passes(network);
    // Who held them goes, and the next in line has them.
    await network.removePeer('alice').catch(() => assert.fail('alice goes'));
    const after = (await network.gateway.peers()).find((peer) => peer.name === 'thief')!;
    assert.deepEqual([...after.allowedIps].sort(), [hers!, '10.200.0.1/32'].sort());
  });
});

test('bad objects among many: the rest applies, each is told with its code, and packets pass', {
  timeout,
}, async () => {
  await withNetwork(options, async (network) => {
    const good = await Promise.all(Array.from({ length: 200 }, (_, n) => peerOf(`good-${n}`, [`10.210.${n}.0/24`])));
    const { key } = await peerOf('x', []);
    const bad: readonly { key: string; body: { [name: string]: Json } }[] = [
      { key, body: { kind: 'peer', interface: 'wg0', name: 'short', publicKey: 'AAAA' } },
      { key: 'wormhole/w', body: { kind: 'wormhole', name: 'w', of: 'a later version' } },
      { ...(await peerOf('stranger', ['10.211.0.1/32'])), key: 'peer/wg0/another' },
      { key: 'address/nowhere/10.9.9.9/24', body: { kind: 'address', interface: 'nowhere', address: '10.9.9.9/24' } },
      { key: 'hostInterface/host7', body: { kind: 'hostInterface', name: 'host7', addresses: [], routes: [] } },
    ];
    const version = await smuggle(network, [...good.slice(0, 100), ...bad, ...good.slice(100)]);
    const { errors } = await applied(network, version);
    const codes = new Map(errors.map((error) => [error.key, error.code]));
    assert.deepEqual([...codes.keys()].sort(), bad.map((one) => one.key).sort());
    assert.equal(codes.get('address/nowhere/10.9.9.9/24'), 'intent.reference');
    assert.equal(codes.get('hostInterface/host7'), 'intent.refused');
    const names = new Set((await network.gateway.peers()).map((peer) => peer.name));
    for (let n = 0; n < 200; n++) assert.ok(names.has(`good-${n}`), `good-${n}`);
    assert.ok(!names.has('stranger') && !names.has('short'));
    const status = await network.gateway.status();
    assert.equal(status.storedVersion, version, 'kept as it came, for a later version that can read it');
    await passes(network);
  });
});
