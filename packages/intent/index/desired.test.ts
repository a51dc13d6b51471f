import assert from 'node:assert/strict';
import test from 'node:test';
import type { Intent, IntentKey, RouteIntent } from '../model/intents.ts';
import { intentKey } from '../model/intents.ts';
import type { ObjectKey } from '../model/objects.ts';
import { planeKinds, testKey, testOutside } from '../testing/outside.ts';
import { Desired } from './desired.ts';

const kinds = planeKinds;
const wg = (name: string, listenPort: number, vrf = 'default'): Intent => ({
  kind: 'gatewayInterface',
  name,
  type: 'wireguard',
  vrf,
  listenPort,
  mtu: 1420,
  mssClamp: 'auto',
  sourceCheck: 'off',
});
const peer = (n: number, allowedIps: readonly string[], on = 'wg0'): Intent => ({
  kind: 'peer',
  interface: on,
  publicKey: testKey(n),
  name: `peer${n}`,
  presharedKey: null,
  allowedIps,
  endpoint: null,
  persistentKeepalive: 0,
});
const address = (text: string, on = 'wg0'): Intent => ({ kind: 'address', interface: on, address: text });
const blackhole = (prefix: string, vrf = 'default'): RouteIntent => ({
  kind: 'route',
  vrf,
  prefix,
  interface: null,
  nextHop: null,
  blackhole: true,
});
const peerKey = (n: number, on = 'wg0'): ObjectKey => `wireguardPeer/${on}/${testKey(n)}` as ObjectKey;
const route = (prefix: string, vrf = 'default'): ObjectKey => `route/${vrf}/${prefix}` as ObjectKey;
const allowed = (desired: Desired, n: number): readonly string[] | undefined => {
  const object = desired.desired(peerKey(n));
  return object?.kind === 'wireguardPeer' ? object.allowedIps : undefined;
};
const codes = (desired: Desired): string[] =>
  desired
    .problems()
    .map(({ source, key, problem }) =>
      `${source} ${key.replace(/=.*/, '')} ${problem.code} ${problem.field ?? ''}`.trim(),
    );
const dirty = (desired: Desired): string[] => [...desired.takeDirty()].sort();
const fresh = (): Desired => new Desired(testOutside(), kinds);

test('a gateway comes to its objects', () => {
  const d = fresh();
  for (const intent of [
    wg('wg0', 51820),
    address('10.77.0.1/24'),
    address('10.99.0.1/32'),
    peer(1, ['10.77.0.5/32', '192.0.2.0/24']),
  ])
    d.put('controller', intent);
  assert.deepEqual(dirty(d), [
    'address/wg0/10.77.0.1/24',
    'address/wg0/10.99.0.1/32',
    'link/wg0',
    'route/default/10.77.0.0/24',
    'route/default/10.77.0.5/32',
    'route/default/192.0.2.0/24',
    'wireguardDevice/wg0',
    peerKey(1),
  ]);
  assert.deepEqual(d.desired(route('10.77.0.5/32')), {
    kind: 'route',
    vrf: 'default',
    prefix: '10.77.0.5/32',
    via: { type: 'link', link: 'wg0', nextHop: null },
  });
  assert.deepEqual(d.problems(), []);
  assert.deepEqual(dirty(d), [], 'taken once');
});

test('saying the same again is nothing, and a change touches only its objects', () => {
  const d = fresh();
  d.put('controller', wg('wg0', 1));
  for (let n = 0; n < 50; n++) d.put('controller', peer(n, [`10.0.0.${n}/32`]));
  d.takeDirty();
  d.put('controller', peer(3, ['10.0.0.3/32']));
  assert.deepEqual(dirty(d), []);
  d.put('controller', { ...wg('wg0', 1), mtu: 1300 } as Intent);
  assert.deepEqual(dirty(d), ['link/wg0']);
  d.put('controller', peer(3, ['10.0.0.3/32', '10.1.0.0/16']));
  assert.deepEqual(dirty(d), ['route/default/10.1.0.0/16', peerKey(3)]);
  assert.equal(d.remove('controller', intentKey(peer(3, []))), true);
  assert.deepEqual(dirty(d), ['route/default/10.0.0.3/32', 'route/default/10.1.0.0/16', peerKey(3)]);
  assert.equal(d.remove('controller', intentKey(peer(3, []))), false);
});

test('what refers to something missing waits, and holds back nobody', () => {
  const d = fresh();
  d.put('controller', peer(1, ['10.0.0.1/32'], 'wg7'));
  d.put('controller', address('10.0.0.9/24', 'wg7'));
  d.put('controller', wg('wg7', 7, 'blue'));
  d.put('controller', wg('wg8', 7));
  d.put('controller', blackhole('10.0.0.0/8', 'blue'));
  assert.deepEqual(dirty(d), ['link/wg8', 'wireguardDevice/wg8'], 'a waiting interface does not hold its port');
  assert.deepEqual(
    d.problems().map((p) => p.problem.code),
    Array(4).fill('intent.reference'),
  );
  d.put('controller', { kind: 'vrf', name: 'blue' });
  assert.deepEqual(
    codes(d).slice(-1),
    ['controller gatewayInterface/wg8 intent.conflict listenPort'],
    'now the elder has it',
  );
  assert.equal(d.desired('link/wg8' as ObjectKey), undefined);
  assert.equal(d.desired(route('10.0.0.1/32', 'blue'))?.kind, 'route');
  d.remove('controller', 'vrf/blue' as IntentKey);
  assert.equal(d.size, 2, 'back to the link and device of wg8');
});

test('moving an interface to another VRF moves what stands on it', () => {
  const d = fresh();
  d.put('file', { kind: 'vrf', name: 'blue' });
  d.put('file', wg('wg0', 1));
  d.put('file', peer(1, ['10.0.0.1/32']));
  d.takeDirty();
  d.put('file', wg('wg0', 1, 'blue'));
  assert.deepEqual(dirty(d), ['link/wg0', 'route/blue/10.0.0.1/32', 'route/default/10.0.0.1/32']);
});

test('an allowed IP has one peer of an interface, the elder; the rest of the younger stands', () => {
  const d = fresh();
  d.put('controller', wg('wg0', 1));
  d.put('controller', peer(1, ['10.0.0.0/24', '10.0.1.0/24']));
  d.put('controller', peer(2, ['10.0.0.0/25', '10.0.1.0/24', '10.0.2.0/24']));
  assert.deepEqual(allowed(d, 2), ['10.0.0.0/25', '10.0.2.0/24'], 'nested is fine');
  const [clash] = d.problems();
  assert.equal(clash?.key, intentKey(peer(2, [])));
  assert.equal(clash?.problem.code, 'intent.conflict');
  assert.equal(clash?.problem.field, 'allowedIps[1]');
  assert.ok(clash?.problem.message.includes(intentKey(peer(1, []))), 'names the other');
  d.takeDirty();
  d.put('controller', peer(1, ['10.0.0.0/24']));
  assert.deepEqual(dirty(d), [peerKey(1), peerKey(2)].sort(), 'the route stays as it is');
  assert.deepEqual(allowed(d, 2), ['10.0.0.0/25', '10.0.1.0/24', '10.0.2.0/24']);
  assert.deepEqual(d.problems(), []);
});

test('a prefix moves from peer to peer whichever is said first', () => {
  for (const order of [0, 1]) {
    const d = fresh();
    d.put('controller', wg('wg0', 1));
    d.put('controller', peer(1, ['10.0.0.0/24']));
    d.put('controller', peer(2, []));
    d.takeDirty();
    const moves = [peer(1, []), peer(2, ['10.0.0.0/24'])];
    for (const intent of order === 0 ? moves : moves.reverse()) d.put('controller', intent);
    assert.deepEqual(dirty(d), [peerKey(1), peerKey(2)].sort());
    assert.deepEqual([allowed(d, 1), allowed(d, 2)], [[], ['10.0.0.0/24']]);
  }
});

test('sources: the same intent twice is held by the elder, the younger takes over', () => {
  const d = fresh();
  d.put('file', wg('wg0', 1));
  d.put('file', peer(1, ['10.0.0.1/32']));
  d.put('controller', peer(1, ['10.0.0.2/32']));
  d.put('cli', peer(1, ['10.0.0.1/32']));
  assert.deepEqual(allowed(d, 1), ['10.0.0.1/32']);
  assert.equal(d.desired(route('10.0.0.2/32')), undefined, 'nothing of the younger');
  assert.deepEqual(
    d.problems().map((p) => `${p.source} ${p.problem.code}`),
    ['controller intent.conflict'],
    'who says the same has no complaint',
  );
  d.remove('file', intentKey(peer(1, [])));
  assert.deepEqual(allowed(d, 1), ['10.0.0.2/32']);
  d.replaceSource('controller', []);
  assert.deepEqual(allowed(d, 1), ['10.0.0.1/32']);
  assert.deepEqual(d.problems(), []);
});

test('one object of several intents is shared while they agree', () => {
  const d = fresh();
  d.put('controller', wg('wg0', 1));
  d.put('controller', address('10.0.0.1/24'));
  d.put('controller', address('10.0.0.2/24'));
  d.put('controller', peer(1, ['10.0.0.0/24']));
  d.put('file', blackhole('10.0.0.0/24'));
  assert.equal(d.intentsOf(route('10.0.0.0/24')).length, 3);
  assert.deepEqual(codes(d), ['file route/default/10.0.0.0/24 intent.conflict']);
  assert.ok(d.problems()[0]!.problem.message.includes('controller address/wg0/10.0.0.1/24'));
  d.takeDirty();
  for (const text of ['10.0.0.1/24', '10.0.0.2/24']) d.remove('controller', intentKey(address(text)));
  assert.deepEqual(dirty(d), ['address/wg0/10.0.0.1/24', 'address/wg0/10.0.0.2/24']);
  d.remove('controller', intentKey(peer(1, [])));
  assert.deepEqual(dirty(d), ['route/default/10.0.0.0/24', peerKey(1)]);
  assert.deepEqual(d.desired(route('10.0.0.0/24')), {
    kind: 'route',
    vrf: 'default',
    prefix: '10.0.0.0/24',
    via: { type: 'blackhole' },
  });
});

test('replaceSource touches its own source only', () => {
  const d = fresh();
  d.put('file', blackhole('10.1.0.0/16'));
  d.replaceSource('controller', [blackhole('10.2.0.0/16'), blackhole('10.3.0.0/16')]);
  d.takeDirty();
  d.replaceSource('controller', [blackhole('10.3.0.0/16'), blackhole('10.4.0.0/16')]);
  assert.deepEqual(dirty(d), [route('10.2.0.0/16'), route('10.4.0.0/16')]);
  assert.deepEqual(d.count('controller'), new Map([['route', 2]]));
  assert.equal([...d.intents()].length, 3);
  assert.equal([...d.intents('file')].length, 1);
  assert.deepEqual(d.get('file', 'route/default/10.1.0.0/16' as IntentKey), blackhole('10.1.0.0/16'));
});

test('the private key is an answer of the outside that may change', () => {
  const outside = testOutside();
  const d = new Desired(outside, kinds);
  outside.keyless.add('wg0');
  d.put('controller', wg('wg0', 1));
  assert.deepEqual(codes(d), ['controller gatewayInterface/wg0 intent.reference name']);
  outside.keyless.delete('wg0');
  d.changed('privateKey/wg0');
  assert.deepEqual(dirty(d), ['link/wg0', 'wireguardDevice/wg0']);
  outside.generation.set('wg0', 1);
  d.changed('privateKey/wg0');
  assert.deepEqual(dirty(d), ['wireguardDevice/wg0']);
});

test('an outside that has no answer now is asked again, and nothing is forgotten meanwhile', () => {
  const outside = testOutside();
  let isFull = true;
  const tableId = (vrf: string): number => {
    if (isFull) throw new Error('the disk is full');
    return outside.tableId(vrf);
  };
  const d = new Desired({ ...outside, tableId, privateKey: (name) => outside.privateKey(name) }, kinds);
  d.put('controller', { kind: 'vrf', name: 'blue' });
  d.put('controller', wg('wg0', 1, 'blue'));
  for (let n = 0; n < 2; n++) assert.throws(() => d.takeDirty(), /disk is full/);
  isFull = false;
  assert.deepEqual(dirty(d), ['link/wg0', 'vrf/blue', 'wireguardDevice/wg0']);
});

test('a kind that the plane lacks is left out and told', () => {
  const d = new Desired(testOutside(), ['link', 'wireguardDevice']);
  d.put('controller', wg('wg0', 1));
  d.put('controller', address('10.0.0.1/24'));
  assert.deepEqual(dirty(d), ['link/wg0', 'wireguardDevice/wg0']);
  assert.deepEqual(
    d.problems().map((p) => p.problem.code),
    ['intent.unsupported', 'intent.unsupported'],
  );
});

test('the default VRF may be said and is never made', () => {
  const d = fresh();
  d.put('controller', { kind: 'vrf', name: 'default' });
  assert.deepEqual(dirty(d), []);
  assert.deepEqual(d.problems(), []);
});

test('preview tells what would newly be wrong, and changes nothing', () => {
  const d = fresh();
  d.put('controller', wg('wg0', 1));
  d.put('controller', peer(1, ['10.0.0.0/24']));
  d.put('controller', peer(2, ['10.0.1.0/24']));
  d.put('file', blackhole('10.9.0.0/16'));
  d.takeDirty();
  const preview = (intent: Intent): string[] =>
    d.preview('controller', intent).map((p) => `${p.source} ${p.problem.code} ${p.problem.field ?? p.key}`);
  assert.deepEqual(preview(peer(3, ['10.0.2.0/24'])), []);
  assert.deepEqual(preview(peer(3, ['10.0.0.0/24'])), ['controller intent.conflict allowedIps[0]']);
  assert.deepEqual(
    preview(peer(1, ['10.0.1.0/24'])),
    ['controller intent.conflict allowedIps[0]'],
    'the elder would take it from peer 2',
  );
  assert.deepEqual(preview(wg('wg1', 1)), ['controller intent.conflict listenPort']);
  assert.deepEqual(preview(blackhole('10.0.0.0/24')), ['controller intent.conflict route/default/10.0.0.0/24']);
  assert.deepEqual(preview({ ...blackhole('10.9.0.0/16'), blackhole: false, interface: 'wg0' }), [
    'controller intent.conflict route/default/10.9.0.0/16',
  ]);
  assert.deepEqual(preview(address('10.0.0.1/24', 'wg9')), ['controller intent.reference interface']);
  assert.deepEqual(dirty(d), []);
  assert.deepEqual(d.problems(), []);
  assert.equal([...d.intents()].length, 4);
});

test('a copy says the same by the same ages, and what is done to it is nothing to the first', () => {
  const d = fresh();
  d.put('file', wg('wg0', 1));
  d.put('cli', peer(1, ['10.0.0.1/32']));
  d.put('file', peer(2, ['10.0.0.1/32']));
  d.takeDirty();
  const copy = d.copy();
  assert.deepEqual([[...copy.all()], codes(copy), dirty(copy)], [[...d.all()], codes(d), []]);
  copy.remove('cli', intentKey(peer(1, [])));
  assert.deepEqual(allowed(copy, 2), ['10.0.0.1/32']);
  assert.deepEqual([allowed(d, 1), dirty(d)], [['10.0.0.1/32'], []]);
});

test('what is said again is looked at again: what the outside answers may be another', () => {
  let mtu = 1500;
  const d = new Desired({ ...testOutside(), deviceMtu: () => mtu }, kinds);
  const vlan: Intent = {
    kind: 'network',
    id: 'vlan-100',
    name: '',
    attachment: 'vlan',
    interface: 'eth0.100',
    parent: 'eth0',
    vlanId: 100,
    subnets: [{ prefix: '10.0.100.0/24', gateway: '10.0.100.1' }],
    mtu: null,
    nat: true,
    internal: false,
    dns: false,
    domain: null,
    dnsServers: null,
  };
  d.put('router', vlan);
  d.takeDirty();
  mtu = 1300;
  d.put('router', vlan);
  assert.deepEqual(dirty(d), [], 'nothing asks');
  d.again('router', intentKey(vlan));
  d.again('cli', intentKey(vlan));
  assert.deepEqual(dirty(d), ['link/eth0.100']);
});
