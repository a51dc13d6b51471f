import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import { Frame } from '../../graph/frame.ts';
import { AdjacencyKind } from '../../state/adjacency.ts';
import { Forwarding, Vrf } from '../../state/forwarding.ts';
import { literals } from '../../testing/literals.testing.ts';
import { Bench, rowsOf } from '../../testing/rows.testing.ts';
import { IpLookup } from './ip-lookup.ts';

/** Two VRFs: in 0 the neighbours are behind links 4 and 6 and .1 is ours; in 1 all of 10/8 is a blackhole. */
function forwarding(): Forwarding {
  const tables = new Forwarding();
  const add = (vrf: Vrf, text: string, kind: AdjacencyKind, link: number): void => {
    const prefix = parsePrefix(text);
    assert.ok(prefix.ok);
    const { address, bits } = prefix.value;
    vrf.fib(address.length).set(address, bits, tables.adjacencies.obtain(kind, link, null));
  };
  const vrfs = [new Vrf(0, 'default', 0), new Vrf(1, 'blue', 1)] as const;
  tables.vrfs.push(...vrfs);
  add(vrfs[0], '10.77.0.0/24', AdjacencyKind.link, 4);
  add(vrfs[0], 'fd77::/64', AdjacencyKind.link, 6);
  add(vrfs[0], '10.77.0.1/32', AdjacencyKind.local, -1);
  add(vrfs[0], 'fd77::1/128', AdjacencyKind.local, -1);
  add(vrfs[1], '10.0.0.0/8', AdjacencyKind.blackhole, -1);
  return tables;
}

test('rows go where the longest prefix of their VRF leads', () => {
  const bench = new Bench();
  const local = new Frame();
  const rewrite = new Frame();
  const errors = new Frame();
  const packets = [literals.udp4, literals.echo4, literals.udp6, literals.echo6, literals.udp4, literals.udp6];
  for (const packet of packets) bench.packet(packet);
  bench.batch.vrf.set([0, 0, 0, 0, 1, 1]);
  bench.run(new IpLookup(forwarding(), bench.counters, local, rewrite, new Frame(), errors));
  assert.deepEqual(rowsOf(rewrite), [0, 2]);
  assert.deepEqual([bench.batch.egress[0], bench.batch.egress[2]], [4, 6]);
  assert.deepEqual(rowsOf(local), [1, 3]);
  assert.deepEqual(bench.drops(), { blackhole: 1, noRoute: 1 });
  assert.deepEqual(rowsOf(errors), [5], 'a blackhole tells nobody');
});
