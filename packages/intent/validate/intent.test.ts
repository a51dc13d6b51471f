import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { testKey } from '../testing/outside.ts';
import { parseIntent } from './intent.ts';

const key = testKey(7);

const good: readonly [string, object, object][] = [
  ['vrf', { kind: 'vrf', name: 'blue' }, { kind: 'vrf', name: 'blue' }],
  [
    'interface with defaults',
    { kind: 'gatewayInterface', name: 'wg0', listenPort: 51820 },
    {
      kind: 'gatewayInterface',
      name: 'wg0',
      type: 'wireguard',
      vrf: 'default',
      listenPort: 51820,
      mtu: 1420,
      mssClamp: 'auto',
      sourceCheck: 'off',
    },
  ],
  [
    'address keeps host bits and becomes canonical',
    { kind: 'address', interface: 'wg0', address: 'FD77:0::1/64' },
    { kind: 'address', interface: 'wg0', address: 'fd77::1/64' },
  ],
  [
    'peer: prefixes canonical, sorted, each once',
    {
      kind: 'peer',
      interface: 'wg0',
      publicKey: key,
      allowedIps: ['fd77:0::/64', '10.0.0.2', '10.0.0.0/24', '10.0.0.2/32'],
    },
    {
      kind: 'peer',
      interface: 'wg0',
      publicKey: key,
      name: '',
      presharedKey: null,
      allowedIps: ['10.0.0.0/24', '10.0.0.2/32', 'fd77::/64'],
      endpoint: null,
      persistentKeepalive: 0,
    },
  ],
  [
    'blackhole',
    { kind: 'route', prefix: '10.9.0.0/16', blackhole: true },
    { kind: 'route', vrf: 'default', prefix: '10.9.0.0/16', interface: null, nextHop: null, blackhole: true },
  ],
  [
    'route with next hop',
    { kind: 'route', prefix: '::/0', interface: 'wg0', nextHop: 'FE80::1' },
    { kind: 'route', vrf: 'default', prefix: '::/0', interface: 'wg0', nextHop: 'fe80::1', blackhole: false },
  ],
];

for (const [name, json, expected] of good)
  test(`accepts: ${name}`, () => {
    const once = parseIntent(json);
    assert.deepEqual(once, { ok: true, value: expected });
    assert.deepEqual(parseIntent(expected), once, 'a canonical intent parses to itself');
  });

const peer = { kind: 'peer', interface: 'wg0', publicKey: key };
const route = { kind: 'route', prefix: '10.0.0.0/8', interface: 'wg0' };
const bad: readonly [string, unknown, string, string | undefined][] = [
  ['null', null, 'input.invalid', undefined],
  ['a list', [], 'input.invalid', undefined],
  ['no kind', {}, 'input.invalid', 'kind'],
  ['a kind of Object.prototype', { kind: 'toString' }, 'input.invalid', 'kind'],
  ['missing name', { kind: 'vrf' }, 'input.invalid', 'name'],
  ['path in a name', { kind: 'vrf', name: '../x' }, 'name.invalid', 'name'],
  ['a name that is a number', { kind: 'vrf', name: 5 }, 'input.invalid', 'name'],
  ['unknown field', { kind: 'vrf', name: 'a', colour: 'red' }, 'input.invalid', 'colour'],
  ['inherited field', Object.create({ kind: 'vrf', name: 'a' }), 'input.invalid', 'name'],
  ['long interface name', { kind: 'gatewayInterface', name: 'x'.repeat(16), listenPort: 1 }, 'name.invalid', 'name'],
  ['port', { kind: 'gatewayInterface', name: 'wg0', listenPort: 65_536 }, 'input.invalid', 'listenPort'],
  ['port missing', { kind: 'gatewayInterface', name: 'wg0' }, 'input.invalid', 'listenPort'],
  ['an MSS clamp', { kind: 'hostInterface', name: 'h', mssClamp: true }, 'input.invalid', 'mssClamp'],
  [
    'a source check',
    { kind: 'gatewayInterface', name: 'wg0', listenPort: 1, sourceCheck: 'on' },
    'input.invalid',
    'sourceCheck',
  ],
  ['mtu', { kind: 'gatewayInterface', name: 'wg0', listenPort: 1, mtu: 100 }, 'input.invalid', 'mtu'],
  ['other type', { kind: 'gatewayInterface', name: 'wg0', listenPort: 1, type: 'vlan' }, 'input.invalid', 'type'],
  ['address', { kind: 'address', interface: 'wg0', address: '10.0.0.300/8' }, 'prefix.invalid', 'address'],
  ['key', { ...peer, publicKey: 'abc' }, 'key.invalid', 'publicKey'],
  ['preshared key', { ...peer, presharedKey: '' }, 'key.invalid', 'presharedKey'],
  ['host bits', { ...peer, allowedIps: ['10.0.0.0/24', '10.0.0.1/24'] }, 'prefix.invalid', 'allowedIps[1]'],
  ['allowedIps entry', { ...peer, allowedIps: [1] }, 'input.invalid', 'allowedIps[0]'],
  ['allowedIps no list', { ...peer, allowedIps: '10.0.0.0/8' }, 'input.invalid', 'allowedIps'],
  ['endpoint', { ...peer, endpoint: 'host.example:1' }, 'address.invalid', 'endpoint'],
  ['keepalive', { ...peer, persistentKeepalive: 1.5 }, 'input.invalid', 'persistentKeepalive'],
  ['route to nowhere', { kind: 'route', prefix: '10.0.0.0/8' }, 'input.invalid', 'interface'],
  ['route both ways', { ...route, blackhole: true }, 'input.invalid', 'interface'],
  ['next hop of the other family', { ...route, nextHop: '::1' }, 'input.invalid', 'nextHop'],
  [
    'next hop alone',
    { kind: 'route', prefix: '10.0.0.0/8', blackhole: true, nextHop: '10.0.0.1' },
    'input.invalid',
    'nextHop',
  ],
];

for (const [name, json, code, field] of bad)
  test(`refuses: ${name}`, () => {
    const result = parseIntent(json);
    assert.ok(!result.ok);
    assert.equal(result.error.code, code);
    assert.equal(result.error.field, field);
    assert.ok(result.error.message.length > 0);
  });

test('never throws, and what it accepts parses to itself', () => {
  const names = [
    'kind',
    'name',
    'vrf',
    'interface',
    'prefix',
    'allowedIps',
    'publicKey',
    'mtu',
    'listenPort',
    'address',
  ];
  const kinds = fc.constantFrom('vrf', 'gatewayInterface', 'address', 'peer', 'route');
  const value = fc.oneof(fc.string(), fc.integer(), fc.constantFrom('wg0', '10.0.0.0/8', key, null), fc.jsonValue());
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), value), kinds, (json, kind) => {
      const result = parseIntent({ ...json, kind });
      if (result.ok) assert.deepEqual(parseIntent(result.value), result);
      else assert.ok(result.error.field !== undefined);
    }),
    { numRuns: 500 },
  );
});
