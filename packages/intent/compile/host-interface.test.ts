import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffAll } from '../diff/diff.ts';
import { Desired } from '../index/desired.ts';
import type { Intent, IntentKey } from '../model/intents.ts';
import { objectKey } from '../model/objects.ts';
import { formatPlan } from '../plan/format.ts';
import { plan } from '../plan/plan.ts';
import { planeKinds, testOutside } from '../testing/outside.ts';
import { parseIntent } from '../validate/intent.ts';

const fresh = (): Desired => new Desired(testOutside(), planeKinds);
const said = (json: object): Intent => {
  const parsed = parseIntent(json);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
};
const host = (more: object = {}): Intent =>
  said({ kind: 'hostInterface', name: 'host0', addresses: ['10.99.0.1/24'], routes: ['10.77.0.0/24'], ...more });

test('a link with the host on its other side, and routes to the host’s own addresses', () => {
  const d = fresh();
  d.put('file', host({ addresses: ['fd99::1/64', '10.99.0.1/24', 'FD99:0::1/64'] }));
  const link = {
    kind: 'link',
    name: 'host0',
    type: 'tun',
    vrf: 'default',
    mtu: 1420,
    adminUp: true,
    mssClamp: true,
    sourceCheck: 'off',
  };
  assert.deepEqual(
    [...d.all()].sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1)),
    [
      { ...link, hostAddresses: ['10.99.0.1/24', 'fd99::1/64'], hostRoutes: ['10.77.0.0/24'] },
      ...['10.99.0.1/32', 'fd99::1/128'].map((prefix) => ({
        kind: 'route',
        vrf: 'default',
        prefix,
        via: { type: 'link', link: 'host0', nextHop: null },
      })),
    ],
  );
  assert.deepEqual(d.problems(), []);
});

test('MSS clamp and source check of both kinds of interface are those of their links', () => {
  const d = fresh();
  const guards = (): unknown[] =>
    [...d.all()].flatMap((object) =>
      object.kind === 'link' ? [[object.name, object.mssClamp, object.sourceCheck]] : [],
    );
  d.put('file', said({ kind: 'gatewayInterface', name: 'wg0', listenPort: 1 }));
  d.put('file', host());
  assert.deepEqual(guards(), [
    ['wg0', true, 'off'],
    ['host0', true, 'off'],
  ]);
  const before = [...d.all()];
  d.put('file', said({ kind: 'gatewayInterface', name: 'wg0', listenPort: 1, mssClamp: 'off', sourceCheck: 'loose' }));
  d.put('file', host({ sourceCheck: 'strict' }));
  assert.deepEqual(guards(), [
    ['wg0', false, 'loose'],
    ['host0', true, 'strict'],
  ]);
  const told = (objects: typeof before) => objects.map((object) => ({ key: objectKey(object), object, learned: {} }));
  assert.deepEqual(
    plan(diffAll(d.all(), told(before))).map((step) => step.op === 'update' && [step.key, step.changed, step.effect]),
    [
      ['link/host0', ['sourceCheck'], 'interrupt'],
      ['link/wg0', ['mssClamp', 'sourceCheck'], 'interrupt'],
    ],
  );
  assert.deepEqual(
    plan(diffAll(before, told([...d.all()]))).map((step) => step.effect),
    ['none', 'none'],
  );
});

test('routes and addresses may use it, peers may not; a name is one interface’s', () => {
  const d = fresh();
  const problems = (): string[] => d.problems().map(({ key, problem }) => `${key.split('=')[0]} ${problem.code}`);
  d.put('file', said({ kind: 'route', prefix: '10.5.0.0/16', interface: 'host0' }));
  d.put('file', said({ kind: 'address', interface: 'host0', address: '10.99.0.2/32' }));
  assert.deepEqual(problems(), [
    'route/default/10.5.0.0/16 intent.reference',
    'address/host0/10.99.0.2/32 intent.reference',
  ]);
  d.put('file', host());
  assert.deepEqual(problems(), []);
  const publicKey = new Uint8Array(32).fill(3).toBase64();
  d.put('file', said({ kind: 'peer', interface: 'host0', publicKey }));
  assert.match(problems().join(), /^peer\/host0\/.* intent.reference$/);
  d.put('cli', said({ kind: 'gatewayInterface', name: 'host0', listenPort: 1 }));
  assert.match(problems().join(), /gatewayInterface\/host0 intent.conflict/);
  d.remove('file', 'hostInterface/host0' as IntentKey);
  assert.deepEqual(problems(), []);
  assert.equal([...d.all()].filter((object) => object.kind === 'wireguardPeer').length, 1);
});

test('bad fields are named', () => {
  for (const [field, value] of [
    ['addresses[1]', { addresses: ['10.0.0.1/8', '10.0.0.0.1'] }],
    ['addresses', { addresses: 'x' }],
    ['routes[0]', { routes: ['10.0.0.1/8'] }],
    ['mtu', { mtu: 100 }],
    ['mtu', { mtu: 1279, addresses: ['192.0.2.1/30', 'fd00::1/64'] }],
    ['mtu', { mtu: 576, routes: ['fd00::/64'] }],
    ['adress', { adress: [] }],
  ] as const) {
    const parsed = parseIntent({ kind: 'hostInterface', name: 'host0', ...value });
    assert.equal(parsed.ok ? '' : parsed.error.field, field);
  }
});

test('more for the host interrupts nobody, less does', () => {
  const effect = (before: Intent, after: Intent): string => {
    const [was, is] = [fresh(), fresh()];
    was.put('file', before);
    is.put('file', after);
    const seen = [...was.all()].map((object) => ({ key: objectKey(object), object, learned: {} }));
    return plan(diffAll(is.all(), seen))
      .map((step) => `${step.op} ${step.key} ${step.effect}`)
      .join(', ');
  };
  assert.equal(effect(host(), host({ routes: ['10.77.0.0/24', '10.78.0.0/24'] })), 'update link/host0 none');
  assert.equal(effect(host(), host({ routes: [] })), 'update link/host0 interrupt');
  assert.equal(effect(host(), host()), '');
  const d = fresh();
  d.put('file', said({ kind: 'gatewayInterface', name: 'wg0', listenPort: 1 }));
  assert.doesNotMatch(formatPlan(plan(diffAll(d.all(), []))), /host/, 'links of other types have no host side to show');
});
