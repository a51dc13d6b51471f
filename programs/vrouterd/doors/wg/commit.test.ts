import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desired } from '@vrouter/intent/index/desired.ts';
import { intentKey, type PeerIntent } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import { planeKinds, testKey, testOutside } from '@vrouter/intent/testing/outside.ts';
import { openDatabase } from '../../store/database.ts';
import { Store } from '../../store/store.ts';
import { commitPeers } from './commit.ts';

const peer = (n: number, ...allowedIps: readonly string[]): PeerIntent => ({
  kind: 'peer',
  interface: 'wg0',
  publicKey: testKey(n),
  name: '',
  presharedKey: null,
  allowedIps,
  endpoint: null,
  persistentKeepalive: 0,
});
const a = '10.0.0.1/32';
const b = '10.0.0.2/32';

function world(): { desired: Desired; store: Store } {
  const desired = new Desired(testOutside(), planeKinds);
  const [name, type, vrf] = ['wg0', 'wireguard', 'default'] as const;
  desired.put('file', {
    kind: 'gatewayInterface',
    name,
    type,
    vrf,
    listenPort: 1,
    mtu: 1420,
    mssClamp: 'auto',
    sourceCheck: 'off',
  });
  return { desired, store: new Store(openDatabase(':memory:')) };
}

function allowedIps(desired: Desired, n: number): readonly string[] | null {
  const object = desired.desired(`wireguardPeer/wg0/${testKey(n)}` as ObjectKey);
  return object?.kind === 'wireguardPeer' ? object.allowedIps : null;
}

test('what is said is stored, what goes is forgotten', () => {
  const { desired, store } = world();
  using _store = store;
  assert.equal(commitPeers(desired, store, 'wg', { put: [peer(1, a), peer(2)], gone: [] }), null);
  assert.equal(commitPeers(desired, store, 'wg', { put: [peer(1, b)], gone: [peer(2)] }), null);
  assert.deepEqual(
    store.intents().map(({ source, body }) => ({ source, body })),
    [{ source: 'wg', body: peer(1, b) }],
  );
  assert.deepEqual([allowedIps(desired, 1), allowedIps(desired, 2)], [[b], null]);
});

test('one that clashes refuses all, and nothing has changed: not what is stored, not what is dirty, not who is the elder', () => {
  const { desired, store } = world();
  using _store = store;
  assert.equal(commitPeers(desired, store, 'wg', { put: [peer(1, a), peer(2)], gone: [] }), null);
  // Younger than ours: it waits for what ours holds, and would get it if ours became the younger.
  desired.put('controller', peer(3, a, b));
  desired.takeDirty();
  const stored = store.intents();
  const problems = desired.problems();
  const wrong = commitPeers(desired, store, 'wg', { put: [peer(2, b), peer(4)], gone: [peer(1, a)] });
  assert.equal(wrong?.code, 'intent.conflict');
  assert.deepEqual([...desired.takeDirty()], []);
  assert.deepEqual(store.intents(), stored);
  assert.deepEqual(desired.problems(), problems);
  assert.deepEqual([allowedIps(desired, 1), allowedIps(desired, 3)], [[a], [b]]);
  assert.equal(desired.get('wg', intentKey(peer(4))), undefined);
});

test('an elder of ours may not take what a younger one of another source already has', () => {
  const { desired, store } = world();
  using _store = store;
  commitPeers(desired, store, 'wg', { put: [peer(1)], gone: [] });
  desired.put('controller', peer(2, a));
  assert.equal(commitPeers(desired, store, 'wg', { put: [peer(1, a)], gone: [] })?.code, 'intent.conflict');
  assert.deepEqual(allowedIps(desired, 2), [a]);
});

test('what cannot be stored is not said', () => {
  const { desired, store } = world();
  store[Symbol.dispose]();
  assert.equal(commitPeers(desired, store, 'wg', { put: [peer(1, a)], gone: [] })?.code, 'data.unwritable');
  assert.equal(desired.get('wg', intentKey(peer(1))), undefined);
  assert.equal(allowedIps(desired, 1), null);
});
