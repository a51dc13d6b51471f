import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Observed, objectKey, type WireguardPeerObject } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { openDatabase } from '../store/database.ts';
import { Store } from '../store/store.ts';
import { LastHeard } from './last-heard.ts';

const link = {
  kind: 'link',
  name: 'wg0',
  type: 'wireguard',
  vrf: 'default',
  mtu: 1420,
  adminUp: true,
  mssClamp: true,
  sourceCheck: 'off',
} as const;
const peer: WireguardPeerObject = {
  kind: 'wireguardPeer',
  link: 'wg0',
  publicKey: 'k',
  presharedKey: null,
  allowedIps: ['10.0.0.2/32'],
  endpoint: null,
  persistentKeepalive: 0,
};
const seen: Observed[] = [
  { key: objectKey(link), object: link, learned: { index: 3, operUp: true } },
  { key: objectKey(peer), object: peer, learned: { endpoint: '192.0.2.9:4000' } },
];
const create: Step = { op: 'create', key: objectKey(peer), object: peer, effect: 'none' };

function memoryStore(): Store {
  return new Store(openDatabase(':memory:'));
}

test('a peer that was heard is created anew where it was last heard, also by the next daemon', () => {
  using store = memoryStore();
  new LastHeard(store).save(seen);
  const step = new LastHeard(store).prepare(create);
  assert.equal(step.op === 'create' && step.object.kind === 'wireguardPeer' && step.object.endpoint, '192.0.2.9:4000');
});

/** The label of a Unix time, as the engine tells it. */
const labelOf = (unixMs: number): string => `${(2n ** 62n + 10n + BigInt(unixMs / 1000)).toString(16)}00000000`;
const NOW = 1_700_000_000_000;

test('the newest timestamp of a peer is given back to a new plane, by the next daemon too, and when the peer was away', () => {
  using store = memoryStore();
  const told = (lastHeard: LastHeard): unknown => {
    const step = lastHeard.prepare(create);
    return step.op === 'create' && step.object.kind === 'wireguardPeer' ? step.object.handshakeTimestamp : null;
  };
  const seenAt = (label: string): Observed => ({ ...seen[1]!, learned: { handshakeTimestamp: label } });
  const first = new LastHeard(store, () => NOW);
  assert.equal(told(first), undefined);
  first.save([seenAt(labelOf(NOW - 5000))]);
  first.save([seenAt(labelOf(NOW))]);
  // An empty plane that has just been told less.
  first.save([seenAt(labelOf(NOW - 9000))]);
  assert.equal(told(first), labelOf(NOW));
  const next = new LastHeard(store, () => NOW);
  assert.equal(told(next), labelOf(NOW));
  const gone: Step = { op: 'delete', key: objectKey(peer), before: peer, effect: 'interrupt' };
  next.applied([{ key: gone.key, ok: true, now: null }], [gone]);
  next.save([]);
  assert.equal(told(new LastHeard(store, () => NOW)), labelOf(NOW));
});

test('a timestamp from days ahead would lock a peer out for ever, and is not remembered', () => {
  using store = memoryStore();
  const lastHeard = new LastHeard(store, () => NOW);
  for (const [ahead, kept] of [
    [3 * 86_400_000, 0],
    [3_600_000, 1],
  ] as const) {
    lastHeard.save([{ ...seen[1]!, learned: { handshakeTimestamp: labelOf(NOW + ahead) } }]);
    assert.equal(store.handshakeTimestamps(10).length, kept);
  }
});

test('of more timestamps than are kept the oldest go', () => {
  using store = memoryStore();
  const rows = [5, 1, 4, 2, 3].map((n) => ({ link: 'wg0', publicKey: `k${n}`, label: labelOf(NOW + n * 1000) }));
  store.saveHandshakeTimestamps(rows);
  const kept = store.handshakeTimestamps(3).map((row) => row.publicKey);
  assert.deepEqual(kept.sort(), ['k3', 'k4', 'k5']);
});

test('a peer that was taken away is forgotten', () => {
  using store = memoryStore();
  const lastHeard = new LastHeard(store);
  lastHeard.save(seen);
  const gone: Step = { op: 'delete', key: objectKey(peer), before: peer, effect: 'interrupt' };
  lastHeard.applied([{ key: gone.key, ok: true, now: null }], [gone]);
  lastHeard.save([]);
  assert.equal(new LastHeard(store).prepare(create), create);
  assert.deepEqual(store.interfaces()[0]?.endpoints, {});
});

test('where a peer was said to be counts over where it was heard before, until it is heard again', () => {
  using store = memoryStore();
  const lastHeard = new LastHeard(store);
  const endpoint = (): unknown => {
    const step = lastHeard.prepare(create);
    return step.op === 'create' && step.object.kind === 'wireguardPeer' ? step.object.endpoint : null;
  };
  lastHeard.save(seen);
  lastHeard.said('wg0', 'k', '203.0.113.1:1');
  assert.equal(endpoint(), '203.0.113.1:1');
  lastHeard.save(seen);
  assert.equal(endpoint(), '192.0.2.9:4000');
});
