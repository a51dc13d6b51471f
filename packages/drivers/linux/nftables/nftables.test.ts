/** What needs no kernel: objects and their elements, and what a change writes. tests/nftables/ has the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NatRuleObject, objectKey } from '@vrouter/intent/model/objects.ts';
import { floatingRule, natPool, natRule, publishedRule } from '../../contract/samples.ts';
import { ruleOf } from '../netlink/nftables/rule.ts';
import { type FirewallObject, linkCells, objectCells, poolId, type Wanted } from './cells.ts';
import { netmask } from './group.ts';
import { readLabel, writeLabel } from './label.ts';
import { ownerOf, readObject, readTraits } from './objects.ts';
import { planChanges, settle } from './plan.ts';
import { parseSetName } from './sets.ts';
import { TableState } from './state.ts';

const destination = (ports: [number, number], address: string | null = null): NatRuleObject['match'] => ({
  type: 'destination',
  address,
  protocol: 'udp',
  ports,
});
const rows: readonly FirewallObject[] = [
  natRule(),
  natRule({ match: { type: 'source', prefix: 'fd00::/8', leaving: null }, hairpin: false, vrf: 'red.blue' }),
  natRule({ match: { type: 'source', prefix: '0.0.0.0/0', leaving: [] } }),
  natRule({ to: { type: 'pool', pool: 'a pool' } }),
  natRule({ name: 'a long name of 140 bytes '.repeat(6) }),
  publishedRule({ match: destination([7000, 7009], '192.0.2.1') }),
  publishedRule({ match: destination([80, 80]), to: { type: 'inside', address: 'fd00::2', port: 1 }, hairpin: false }),
  floatingRule(),
  floatingRule({
    match: { type: 'address', address: 'fd00::9' },
    to: { type: 'host', address: 'fd00::2' },
    hairpin: false,
  }),
  natPool({ addresses: ['198.51.100.7', '2001:db8::7'] }),
  { kind: 'isolation', link: 'br0', internal: false, gateways: [] },
  { kind: 'isolation', link: 'br0', internal: true, gateways: ['172.18.0.1', 'fd18::1'] },
];
const wantedOf = (object: FirewallObject): Wanted => {
  const wanted = objectCells(object);
  assert.ok(wanted.ok);
  return wanted.value;
};

test('an object is what its elements say, and each of them says whose it is', () => {
  for (const object of rows) {
    const { cells } = wantedOf(object);
    for (const cell of cells) assert.equal(ownerOf(cell), objectKey(object));
    const chain = `pool.${poolId('a pool')}`;
    assert.deepEqual(
      readObject(objectKey(object), cells, (name) => (name === chain ? 'a pool' : null)),
      object,
    );
  }
  for (const vrf of ['default', 'red']) {
    const traits = { vrf, mssClamp: true, sourceCheck: 'loose' } as const;
    assert.deepEqual(readTraits(linkCells('eth0', traits).cells), traits);
  }
});

test('names: shown, cut, refused', () => {
  const label = (name: string) => writeLabel({ name, hairpin: true, ports: null });
  const [short, long] = [label('x'.repeat(120)), label('x'.repeat(200))];
  assert.ok(short.ok && long.ok && !label('x'.repeat(201)).ok && !label('').ok);
  assert.equal(readLabel(long.value)!.name, 'x'.repeat(200));
  assert.ok(long.value.length <= 256);
});

test('the name of a set says its part, family, length and VRF', () => {
  assert.deepEqual(parseSetName('leavepool6_64.red.blue'), { part: 'leavepool', family: 6, bits: 64, of: 'red.blue' });
  assert.deepEqual(parseSetName('port4at.default'), { part: 'portat', family: 4, bits: null, of: 'default' });
  assert.equal(parseSetName('guarded'), null);
  assert.equal(netmask(4, 20).toHex(), 'fffff000');
});

test('a change writes what it changes and no more', () => {
  const state = new TableState(1);
  const change = (object: FirewallObject, gone = false) => {
    const changes = new Map([[objectKey(object) as string, gone ? null : wantedOf(object)]]);
    const planned = planChanges(state, changes);
    settle(state, changes);
    return planned;
  };
  assert.ok(change(publishedRule()).length > 100, 'the whole table');
  assert.equal(change(publishedRule()).length, 0);
  assert.deepEqual(
    change(publishedRule({ name: 'another', match: destination([81, 81]) })).map(({ owner }) => owner),
    ['natRule/another', 'natRule/another'],
  );
  const first = change(natRule({ match: { type: 'source', prefix: '10.0.0.0/24', leaving: null } }));
  // Four sets, the chain emptied and its four rules, an element.
  assert.deepEqual([first.length, first.at(-1)!.owner], [10, objectKey(natRule())]);
  assert.equal(ruleOf(first[5]!.message).chain, 'source4.default');
  const moved = change(natRule({ match: { type: 'source', prefix: '10.0.1.0/24', leaving: null } }));
  assert.equal(moved.length, 2, 'one out, one in');
  assert.equal(change(natRule(), true).length, 1);
});
