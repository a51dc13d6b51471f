import assert from 'node:assert/strict';
import test from 'node:test';
import { type Difference, diffAll } from '../diff/diff.ts';
import { withDependants } from '../diff/replace.ts';
import { type Observed, objectKey, type PlaneObject } from '../model/objects.ts';
import { testSecret } from '../testing/outside.ts';
import { formatPlan } from './format.ts';
import { plan } from './plan.ts';
import type { Step } from './step.ts';

const link = (name: string, over: object = {}): PlaneObject =>
  ({
    kind: 'link',
    name,
    type: 'wireguard',
    vrf: 'default',
    mtu: 1420,
    adminUp: true,
    mssClamp: true,
    sourceCheck: 'off',
    ...over,
  }) as PlaneObject;
const device = (name: string, listenPort: number, key = 'k'): PlaneObject => ({
  kind: 'wireguardDevice',
  link: name,
  listenPort,
  privateKey: testSecret(key),
});
const peer = (publicKey: string, allowedIps: readonly string[], over: object = {}): PlaneObject =>
  ({
    kind: 'wireguardPeer',
    link: 'wg0',
    publicKey,
    presharedKey: null,
    allowedIps,
    endpoint: null,
    persistentKeepalive: 0,
    ...over,
  }) as PlaneObject;
const route = (prefix: string, on = 'wg0', vrf = 'default'): PlaneObject => ({
  kind: 'route',
  vrf,
  prefix,
  via: { type: 'link', link: on, nextHop: null },
});
const address = (text: string, on = 'wg0'): PlaneObject => ({ kind: 'address', link: on, address: text });
const vrf = (name: string, tableId = 1): PlaneObject => ({ kind: 'vrf', name, tableId });
const seen = (objects: readonly PlaneObject[]): Observed[] =>
  objects.map((object) => ({ key: objectKey(object), object, learned: {} }));

function steps(before: readonly PlaneObject[], after: readonly PlaneObject[]): readonly Step[] {
  const differences = diffAll(after, seen(before));
  const planned = plan(withDependants(differences, after, seen(before)));
  assert.deepEqual(plan([...withDependants(differences, after, seen(before))].reverse()), planned, 'order of input');
  return planned;
}
const short = (planned: readonly Step[]): string[] =>
  planned.map((s) => `${s.op} ${s.key}${s.effect === 'none' ? '' : ` ${s.effect}`}`);

const gateway = [link('wg0'), device('wg0', 1)];
const rows: readonly {
  name: string;
  before: readonly PlaneObject[];
  after: readonly PlaneObject[];
  steps: string[];
}[] = [
  {
    name: 'equal',
    before: [...gateway, peer('a', ['10.0.0.1/32'])],
    after: [...gateway, peer('a', ['10.0.0.1/32'])],
    steps: [],
  },
  {
    name: 'creation by rank, then key',
    before: [],
    after: [
      route('10.0.0.0/24'),
      peer('a', ['10.0.0.0/24']),
      address('10.0.0.1/24'),
      device('wg0', 1),
      link('wg0', { vrf: 'b' }),
      vrf('b'),
    ],
    steps: [
      'create vrf/b',
      'create link/wg0',
      'create wireguardDevice/wg0',
      'create address/wg0/10.0.0.1/24',
      'create wireguardPeer/wg0/a',
      'create route/default/10.0.0.0/24',
    ],
  },
  {
    name: 'deletion in reverse, revocations before all',
    before: [...gateway, route('10.0.0.0/24'), peer('a', ['10.0.0.0/24']), address('10.0.0.1/24')],
    after: [],
    steps: [
      'delete wireguardPeer/wg0/a interrupt',
      'delete route/default/10.0.0.0/24 interrupt',
      'delete address/wg0/10.0.0.1/24 interrupt',
      'delete wireguardDevice/wg0 interrupt',
      'delete link/wg0 interrupt',
    ],
  },
  {
    name: 'make before break',
    before: [...gateway, route('10.0.0.0/24'), route('10.0.1.0/24')],
    after: [...gateway, link('wg1'), device('wg1', 2), route('10.0.0.0/24', 'wg1'), route('10.0.2.0/24')],
    steps: [
      'create link/wg1',
      'create wireguardDevice/wg1',
      'update route/default/10.0.0.0/24',
      'create route/default/10.0.2.0/24',
      'delete route/default/10.0.1.0/24 interrupt',
    ],
  },
  {
    name: 'a route leaves a link before the link goes',
    before: [...gateway, link('wg1'), device('wg1', 2), route('10.0.0.0/24', 'wg1')],
    after: [...gateway, route('10.0.0.0/24')],
    steps: ['update route/default/10.0.0.0/24', 'delete wireguardDevice/wg1 interrupt', 'delete link/wg1 interrupt'],
  },
  {
    name: 'a prefix moves: others first, then let go, then take',
    before: [...gateway, peer('a', ['10.0.0.0/24', '10.0.9.0/24']), peer('b', []), peer('c', [])],
    after: [
      ...gateway,
      peer('a', ['10.0.9.0/24']),
      peer('b', ['10.0.0.0/24']),
      peer('c', [], { persistentKeepalive: 25 }),
    ],
    steps: ['update wireguardPeer/wg0/c', 'update wireguardPeer/wg0/a interrupt', 'update wireguardPeer/wg0/b'],
  },
  {
    name: 'a prefix of a revoked peer is free at once',
    before: [...gateway, peer('z', ['10.0.0.0/24'])],
    after: [...gateway, peer('a', ['10.0.0.0/24'])],
    steps: ['delete wireguardPeer/wg0/z interrupt', 'create wireguardPeer/wg0/a'],
  },
  {
    name: 'two peers swap: one lets go first',
    before: [...gateway, peer('a', ['10.0.0.0/24']), peer('b', ['10.0.1.0/24'])],
    after: [...gateway, peer('a', ['10.0.1.0/24']), peer('b', ['10.0.0.0/24'])],
    steps: [
      'update wireguardPeer/wg0/a interrupt',
      'update wireguardPeer/wg0/b interrupt',
      'update wireguardPeer/wg0/a',
    ],
  },
  {
    name: 'two devices swap ports',
    before: [link('wg0'), device('wg0', 1), link('wg1'), device('wg1', 2)],
    after: [link('wg0'), device('wg0', 2), link('wg1'), device('wg1', 1)],
    steps: [
      'update wireguardDevice/wg0 rehandshake',
      'update wireguardDevice/wg1 rehandshake',
      'update wireguardDevice/wg0 rehandshake',
    ],
  },
  {
    name: 'a port of a device that goes is freed before it is taken, with all that stands on it',
    before: [...gateway, peer('a', ['10.0.0.0/24']), route('10.0.0.0/24')],
    after: [link('wg1'), device('wg1', 1), route('10.0.0.0/24', 'wg1')],
    steps: [
      'delete wireguardPeer/wg0/a interrupt',
      'create link/wg1',
      'delete wireguardDevice/wg0 interrupt',
      'create wireguardDevice/wg1',
      'update route/default/10.0.0.0/24',
      'delete link/wg0 interrupt',
    ],
  },
  {
    name: 'a fixed field: deleted and created with what stands on it',
    before: [
      vrf('b', 1),
      link('wg0', { vrf: 'b' }),
      device('wg0', 1),
      address('10.0.0.1/32'),
      route('10.0.0.0/24', 'wg0', 'b'),
      route('10.1.0.0/24', 'wg0', 'b'),
    ],
    after: [
      vrf('b', 2),
      link('wg0', { vrf: 'b' }),
      device('wg0', 1),
      address('10.0.0.1/32'),
      route('10.0.0.0/24', 'wg0', 'b'),
    ],
    steps: [
      'delete route/b/10.0.0.0/24 interrupt',
      'delete route/b/10.1.0.0/24 interrupt',
      'delete address/wg0/10.0.0.1/32 interrupt',
      'delete wireguardDevice/wg0 interrupt',
      'delete link/wg0 interrupt',
      'delete vrf/b interrupt',
      'create vrf/b',
      'create link/wg0',
      'create wireguardDevice/wg0',
      'create address/wg0/10.0.0.1/32',
      'create route/b/10.0.0.0/24',
    ],
  },
];

for (const row of rows)
  test(`plan: ${row.name}`, () => assert.deepEqual(short(steps(row.before, row.after)), row.steps));

const effects: readonly [string, PlaneObject, PlaneObject, string][] = [
  ['mtu', link('wg0'), link('wg0', { mtu: 1400 }), 'none'],
  ['vrf', link('wg0'), link('wg0', { vrf: 'b' }), 'interrupt'],
  ['down', link('wg0'), link('wg0', { adminUp: false }), 'interrupt'],
  ['up', link('wg0', { adminUp: false }), link('wg0'), 'none'],
  ['port', device('wg0', 1), device('wg0', 2), 'rehandshake'],
  ['private key', device('wg0', 1, 'a'), device('wg0', 1, 'b'), 'rehandshake'],
  ['preshared key set', peer('a', []), peer('a', [], { presharedKey: testSecret('x') }), 'rehandshake'],
  ['preshared key removed', peer('a', [], { presharedKey: testSecret('x') }), peer('a', []), 'rehandshake'],
  ['more allowed IPs', peer('a', ['10.0.0.0/8']), peer('a', ['10.0.0.0/8', '11.0.0.0/8']), 'none'],
  ['fewer allowed IPs', peer('a', ['10.0.0.0/8', '11.0.0.0/8']), peer('a', ['10.0.0.0/8']), 'interrupt'],
  ['keepalive', peer('a', []), peer('a', [], { persistentKeepalive: 1 }), 'none'],
  ['next hop', route('10.0.0.0/8'), route('10.0.0.0/8', 'wg1'), 'none'],
  [
    'into the hole',
    route('10.0.0.0/8'),
    { kind: 'route', vrf: 'default', prefix: '10.0.0.0/8', via: { type: 'blackhole' } },
    'interrupt',
  ],
];
for (const [name, before, after, effect] of effects)
  test(`effect: ${name}`, () => {
    const planned = steps([before], [after]);
    assert.equal(planned.length, 1);
    assert.equal(planned[0]!.op, 'update');
    assert.equal(planned[0]!.effect, effect);
  });

test('initial fields are not compared, secrets by fingerprint only', () => {
  assert.deepEqual(steps([peer('a', [], { endpoint: '192.0.2.1:5' })], [peer('a', [])]), []);
  const told = peer('a', [], { presharedKey: { fingerprint: testSecret('x').fingerprint } });
  assert.deepEqual(steps([told], [peer('a', [], { presharedKey: testSecret('x') })]), []);
});

test('built-in objects are left alone', () => {
  const key = objectKey(vrf('default'));
  assert.deepEqual(diffAll([], seen([vrf('default', 0)]), [key]), []);
});

test('a swap gives both halves of the one that is split', () => {
  const [first, , rest] = steps(
    [...gateway, peer('a', ['10.0.0.0/24', '10.2.0.0/24']), peer('b', ['10.0.1.0/24'])],
    [...gateway, peer('a', ['10.0.1.0/24', '10.2.0.0/24'], { persistentKeepalive: 5 }), peer('b', ['10.0.0.0/24'])],
  );
  assert.ok(first?.op === 'update' && first.object.kind === 'wireguardPeer');
  assert.deepEqual(first.object.allowedIps, ['10.2.0.0/24']);
  assert.deepEqual(first.changed, ['allowedIps', 'persistentKeepalive']);
  assert.ok(rest?.op === 'update');
  assert.deepEqual(rest.before, first.object);
  assert.deepEqual(rest.changed, ['allowedIps']);
});

test('a long chain of handovers is planned without a deep stack', () => {
  const n = 20_000;
  const at = (i: number, owner: number): PlaneObject =>
    peer(String(i).padStart(6, '0'), [`10.${owner >> 8}.${owner & 255}.0/24`]);
  const before = Array.from({ length: n }, (_, i) => at(i, i));
  const after = Array.from({ length: n }, (_, i) => at(i, (i + 1) % n));
  const planned = plan(diffAll(after, seen(before)));
  assert.equal(planned.length, n + 1, 'one of the circle in two halves');
});

test('plans are frozen', () => {
  const planned = steps([], [link('wg0')]);
  assert.ok(Object.isFrozen(planned) && Object.isFrozen(planned[0]));
});

test('formatPlan shows what changes, and no secret', () => {
  const before = [...gateway, peer('a', ['10.0.0.0/24'])];
  const after = [link('wg0', { mtu: 1400 }), device('wg0', 1, 'other'), route('10.0.0.0/24')];
  assert.equal(
    formatPlan(steps(before, after)),
    [
      '- wireguardPeer/wg0/a  [interrupts traffic]',
      '~ link/wg0  mtu: 1420 -> 1400',
      '~ wireguardDevice/wg0  privateKey: secret(fp:k) -> secret(fp:other)  [rehandshake]',
      '+ route/default/10.0.0.0/24  via=link link wg0',
      '4 steps: 1 to create, 2 to update, 1 to delete, 1 with a new handshake, 1 interrupting',
    ].join('\n'),
  );
  assert.equal(formatPlan([]), 'nothing to do');
});

test('the difference of nothing is nothing', () => {
  const none: readonly Difference[] = [];
  assert.deepEqual(plan(none), []);
});
