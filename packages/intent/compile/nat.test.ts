import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffAll } from '../diff/diff.ts';
import { Desired } from '../index/desired.ts';
import { plan } from '../plan/plan.ts';
import { planeKinds, testOutside } from '../testing/outside.ts';
import { parseIntent } from '../validate/intent.ts';

function desired(...intents: readonly object[]): Desired {
  const made = new Desired(testOutside(), planeKinds);
  for (const intent of intents) {
    const parsed = parseIntent(intent);
    assert.ok(parsed.ok, JSON.stringify(intent));
    made.put('file', parsed.value);
  }
  return made;
}
const wg0 = { kind: 'gatewayInterface', name: 'wg0', listenPort: 0 };
const natOf = (made: Desired): unknown[] => [...made.all()].filter(({ kind }) => kind.startsWith('nat'));

test('a masquerade by the way out, and one by a pool of its own', () => {
  const rule = {
    kind: 'natRule',
    name: 'masquerade/default/10.0.0.0/8',
    vrf: 'default',
    match: { type: 'source', prefix: '10.0.0.0/8', leaving: null },
    to: { type: 'egress' },
    hairpin: true,
  };
  assert.deepEqual(natOf(desired({ kind: 'masquerade', prefix: '10.0.0.0/8' })), [rule]);
  const addresses = ['198.51.100.2', '198.51.100.1', '198.51.100.2'];
  assert.deepEqual(natOf(desired(wg0, { kind: 'masquerade', prefix: '10.0.0.0/8', leaving: ['wg0'], addresses })), [
    { kind: 'natPool', name: rule.name, addresses: ['198.51.100.1', '198.51.100.2'], ports: [1024, 65535] },
    { ...rule, match: { ...rule.match, leaving: ['wg0'] }, to: { type: 'pool', pool: rule.name } },
  ]);
});

test('a masquerade waits for its interface and its VRF', () => {
  const waiting = desired(
    { kind: 'masquerade', prefix: '10.0.0.0/8', leaving: ['wg0'] },
    { kind: 'masquerade', vrf: 'blue', prefix: '10.0.0.0/8' },
  );
  assert.deepEqual(natOf(waiting), []);
  assert.deepEqual(
    waiting.problems().map(({ problem }) => [problem.code, problem.field]),
    [
      ['intent.reference', 'leaving[0]'],
      ['intent.reference', 'vrf'],
    ],
  );
  const parsed = parseIntent(wg0);
  assert.ok(parsed.ok);
  waiting.put('file', parsed.value);
  assert.equal(natOf(waiting).length, 1);
});

test('a masquerade out of an interface of the host', () => {
  const host0 = { kind: 'hostInterface', name: 'host0', addresses: ['192.0.2.1/30'] };
  const made = desired(host0, { kind: 'masquerade', prefix: '10.0.0.0/8', leaving: ['host0'] });
  assert.deepEqual(made.problems(), []);
  assert.equal(natOf(made).length, 1);
});

test('the settings: what was said, and the defaults of the RFCs beside it', () => {
  const usual = {
    kind: 'natSettings',
    name: 'default',
    sessions: 65_536,
    sessionsPerHost: 4096,
    udpSeconds: 300,
    udpOneWaySeconds: 60,
    tcpEstablishedSeconds: 7440,
    tcpTransitorySeconds: 240,
    icmpSeconds: 60,
  };
  assert.deepEqual(natOf(desired({ kind: 'natSettings' })), [usual]);
  const said = { kind: 'natSettings', sessions: 100, udpSeconds: 120, udpOneWaySeconds: 1 };
  assert.deepEqual(natOf(desired(said)), [{ ...usual, ...said }]);
});

test('a floating address: one pair for each of the two, whichever side they are on', () => {
  const floating = { kind: 'floatingIp', id: 'one', address: '198.51.100.9', fixedAddress: '10.0.0.2' };
  const made = desired(
    floating,
    { ...floating, id: 'two', fixedAddress: '10.0.0.3' },
    { ...floating, id: 'three', address: '198.51.100.8' },
    { ...floating, id: 'four', address: '10.0.0.2', fixedAddress: '10.0.0.4' },
    { ...floating, id: 'five', address: '198.51.100.7', fixedAddress: '10.0.0.5' },
  );
  assert.deepEqual(natOf(made), [
    {
      kind: 'natRule',
      name: 'floating/default/198.51.100.9',
      vrf: 'default',
      match: { type: 'address', address: '198.51.100.9' },
      to: { type: 'host', address: '10.0.0.2' },
      hairpin: true,
    },
    {
      kind: 'natRule',
      name: 'floating/default/198.51.100.7',
      vrf: 'default',
      match: { type: 'address', address: '198.51.100.7' },
      to: { type: 'host', address: '10.0.0.5' },
      hairpin: true,
    },
  ]);
  assert.deepEqual(
    made.problems().map(({ problem }) => [problem.code, problem.field]),
    [
      ['intent.conflict', 'address'],
      ['intent.conflict', 'fixedAddress'],
      ['intent.conflict', 'address'],
    ],
  );
});

test('a published port, and the elder keeps what the younger wants too', () => {
  const port = { kind: 'publishedPort', hostPort: 80, protocol: 'tcp', address: '10.0.0.2', port: 8080 };
  const made = desired(
    { ...port, count: 10 },
    { ...port, hostPort: 85 },
    { ...port, protocol: 'udp' },
    { ...port, hostAddress: '192.0.2.1' },
  );
  assert.deepEqual(
    [...made.all()].map((object) => object.kind === 'natRule' && [object.name, object.match, object.to][0]),
    ['port/default/*/tcp/80', 'port/default/*/udp/80', 'port/default/192.0.2.1/tcp/80'],
  );
  assert.deepEqual(
    made.problems().map(({ problem }) => [problem.code, problem.field]),
    [['intent.conflict', 'hostPort']],
  );
});

const refused: readonly (readonly [string, object, string])[] = [
  ['one address of two', { kind: 'floatingIp', id: 'f', address: '192.0.2.1' }, 'fixedAddress'],
  [
    'an address for itself',
    { kind: 'floatingIp', id: 'f', address: '192.0.2.1', fixedAddress: '192.0.2.1' },
    'fixedAddress',
  ],
  ['an IPv6 host', { kind: 'floatingIp', id: 'f', address: '192.0.2.1', fixedAddress: '::2' }, 'fixedAddress'],
  ['no session at all', { kind: 'natSettings', sessions: 0 }, 'sessions'],
  ['a life of more than a week', { kind: 'natSettings', icmpSeconds: 604_801 }, 'icmpSeconds'],
  ['a shorter life than its part', { kind: 'natSettings', udpSeconds: 59 }, 'udpOneWaySeconds'],
  ['other settings than the default', { kind: 'natSettings', name: 'mine' }, 'name'],
  ['an IPv6 address', { kind: 'masquerade', prefix: '10.0.0.0/8', addresses: ['192.0.2.1', '::1'] }, 'addresses'],
  ['no address in a list', { kind: 'masquerade', prefix: '10.0.0.0/8', addresses: [] }, 'addresses'],
  ['no name of an interface', { kind: 'masquerade', prefix: '10.0.0.0/8', leaving: ['a/b'] }, 'leaving[0]'],
  ['no inside address', { kind: 'publishedPort', hostPort: 1, protocol: 'tcp', port: 1 }, 'address'],
  [
    'an unknown protocol',
    { kind: 'publishedPort', hostPort: 1, protocol: 'gre', address: '10.0.0.2', port: 1 },
    'protocol',
  ],
  ['port 0', { kind: 'publishedPort', hostPort: 0, protocol: 'tcp', address: '10.0.0.2', port: 1 }, 'hostPort'],
  [
    'ports past the end',
    { kind: 'publishedPort', hostPort: 1, protocol: 'tcp', address: '10.0.0.2', port: 65535, count: 2 },
    'count',
  ],
];
for (const [what, intent, field] of refused) {
  test(`refused: ${what}`, () => {
    const parsed = parseIntent(intent);
    assert.ok(!parsed.ok);
    assert.ok(parsed.error.field?.startsWith(field), `${parsed.error.field}`);
  });
}

test('a rule comes after its pool and its link, and goes before them', () => {
  const made = desired(wg0, { kind: 'masquerade', prefix: '10.0.0.0/8', leaving: ['wg0'], addresses: ['192.0.2.1'] });
  const objects = [...made.all()];
  const kinds = plan(diffAll(objects, [])).map((step) => step.key.split('/')[0]);
  assert.deepEqual(kinds, ['link', 'wireguardDevice', 'natPool', 'natRule']);
});
