import assert from 'node:assert/strict';
import test from 'node:test';
import { parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { testKey } from '../testing/outside.ts';
import { parseIntent } from './intent.ts';
import { type PrefixUse, specialAddress, specialPrefix } from './special.ts';

/** Prefix, and whether it is good as an interface's address, as a destination (route, allowed IP), as a network. */
const table: readonly (readonly [string, boolean, boolean, boolean])[] = [
  ['10.0.0.0/8', true, true, true],
  ['192.0.2.1/32', true, true, true],
  ['100.64.0.0/10', true, true, true],
  ['240.0.0.0/5', true, true, true],
  ['fd00::/8', true, true, true],
  ['2001:db8::/32', true, true, true],
  ['64:ff9b::/96', true, true, true],
  // Everything, its halves, and what else is wider than a block: good destinations.
  ['0.0.0.0/0', false, true, false],
  ['::/0', false, true, false],
  ['0.0.0.0/1', false, true, false],
  ['128.0.0.0/1', true, true, false],
  ['8000::/1', true, true, false],
  ['126.0.0.0/7', true, true, false],
  ['168.0.0.0/6', true, true, false],
  ['240.0.0.0/4', true, true, false],
  ['::/64', false, true, false],
  ['fe00::/8', true, true, false],
  // This network, loopback, multicast, broadcast.
  ['0.0.0.0/8', false, false, false],
  ['0.1.2.3/32', false, false, false],
  ['0.0.0.0/32', false, false, false],
  ['127.0.0.0/8', false, false, false],
  ['127.0.0.1/32', false, false, false],
  ['224.0.0.0/4', false, false, false],
  ['224.0.0.5/32', false, false, false],
  ['239.255.255.250/32', false, false, false],
  ['255.255.255.255/32', false, false, false],
  ['::/128', false, false, false],
  ['::1/128', false, false, false],
  ['::ffff:0:0/96', false, false, false],
  ['::ffff:10.0.0.1/128', false, false, false],
  ['ff00::/8', false, false, false],
  ['ff02::1/128', false, false, false],
  // Link-local: of a link, never of a network.
  ['169.254.0.1/32', true, true, false],
  ['169.254.0.0/16', true, true, false],
  ['169.254.169.254/32', true, true, false],
  ['fe80::1/128', true, true, false],
  ['fe80::/10', true, true, false],
];

for (const [text, ...good] of table)
  test(`${text}: ${['address', 'destination', 'network'].filter((_use, i) => good[i]).join(', ') || 'good for nothing'}`, () => {
    const parsed = parseInterfaceAddress(text);
    assert.ok(parsed.ok);
    const uses: readonly PrefixUse[] = ['address', 'destination', 'network'];
    for (const [i, use] of uses.entries()) {
      const problem = specialPrefix(parsed.value, use, 'here');
      assert.equal(problem === null, good[i], `${use}: ${problem?.message}`);
      if (problem !== null) assert.deepEqual([problem.code, problem.field], ['prefix.invalid', 'here']);
    }
    const json: readonly (readonly [object, boolean, string])[] = [
      [{ kind: 'address', interface: 'wg0', address: text }, good[0]!, 'address'],
      [{ kind: 'route', prefix: text, interface: 'wg0' }, good[1]!, 'prefix'],
      [{ kind: 'route', prefix: text, blackhole: true }, good[1]!, 'prefix'],
      [
        { kind: 'peer', interface: 'wg0', publicKey: testKey(1), allowedIps: ['10.0.0.2', text] },
        good[1]!,
        'allowedIps[1]',
      ],
    ];
    for (const [intent, legal, field] of json) {
      const result = parseIntent(intent);
      assert.equal(result.ok, legal, JSON.stringify(intent));
      if (!result.ok) assert.deepEqual([result.error.code, result.error.field], ['prefix.invalid', field]);
    }
  });

test('an address in a network keeps its host bits and is judged by itself', () => {
  for (const address of ['127.0.0.1/8', '224.0.0.1/24', '::1/64', 'ff02::1/64', '255.255.255.255/24'])
    assert.ok(!parseIntent({ kind: 'address', interface: 'wg0', address }).ok, address);
  for (const address of ['10.0.0.1/24', 'fe80::1/64', '169.254.0.1/16', 'fd77::1/64'])
    assert.ok(parseIntent({ kind: 'address', interface: 'wg0', address }).ok, address);
});

for (const [address, published, server] of [
  ['192.0.2.1', true, true],
  ['127.0.0.53', true, true],
  ['::1', true, true],
  ['169.254.169.253', true, true],
  ['fe80::1', true, false],
  ['0.1.2.3', false, false],
  ['0.0.0.0', false, false],
  ['::', false, false],
  ['224.0.0.1', false, false],
  ['ff02::1', false, false],
  ['255.255.255.255', false, false],
  ['::ffff:192.0.2.1', false, false],
] as const)
  test(`${address}: ports are published at it: ${published}; names are asked of it: ${server}`, () => {
    assert.equal(specialAddress(address, 'published', 'here') === null, published);
    assert.equal(specialAddress(address, 'server', 'here')?.code, server ? undefined : 'address.invalid');
  });
