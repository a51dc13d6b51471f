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
