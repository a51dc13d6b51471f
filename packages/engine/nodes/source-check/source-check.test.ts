import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frame } from '../../graph/frame.ts';
import { AdjacencyKind } from '../../state/adjacency.ts';
import { Forwarding, Link, SourceCheck, Vrf } from '../../state/forwarding.ts';
import { literals } from '../../testing/literals.testing.ts';
import { Bench, rowsOf } from '../../testing/rows.testing.ts';
import { SourceCheckNode } from './source-check.ts';

/** Links 0 (strict) and 1 (loose); 10.77.0.0/24 and fd77::/64 are behind link 0, 10.66/16 is a blackhole, 10.77.0.9 is ours. */
function forwarding(): Forwarding {
  const tables = new Forwarding();
  const vrf = new Vrf(0, 'default', 0);
  tables.vrfs.push(vrf);
  for (const [i, check] of [SourceCheck.strict, SourceCheck.loose].entries()) {
    const link = new Link(i, `wg${i}`, 0, 1420, true);
    link.sourceCheck = check;
    tables.links.push(link);
  }
  const out = tables.adjacencies.obtain(AdjacencyKind.link, 0, null);
  vrf.fib4.set(Uint8Array.of(10, 77, 0, 0), 24, out);
  vrf.fib6.set(Uint8Array.fromHex('fd770000000000000000000000000000'), 64, out);
  vrf.fib4.set(Uint8Array.of(10, 66, 0, 0), 16, tables.adjacencies.obtain(AdjacencyKind.blackhole, -1, null));
  vrf.fib4.set(Uint8Array.of(10, 77, 0, 9), 32, tables.adjacencies.obtain(AdjacencyKind.local, -1, null));
  return tables;
}

const rows: readonly (readonly [what: string, packet: string, ingress: number, passes: boolean])[] = [
  ['strict, from where answers go', literals.udp4, 0, true],
  ['strict, IPv6', literals.udp6, 0, true],
  ['loose, answers go elsewhere', literals.udp4, 1, true],
  ['strict, nobody knows the source', literals.udp4.replace('0a4d0002', '0a630002'), 0, false],
  ['loose, nobody knows the source', literals.udp4.replace('0a4d0002', '0a630002'), 1, false],
  ['loose, IPv6, nobody knows the source', literals.udp6.replace('fd77', 'fd99'), 1, false],
  ['loose, answers would go into a blackhole', literals.udp4.replace('0a4d0002', '0a420002'), 1, false],
  ['loose, our own address', literals.udp4.replace('0a4d0002', '0a4d0009'), 1, false],
];
for (const [what, packet, ingress, passes] of rows) {
  test(`${what}: ${passes ? 'passes' : 'dropped'}`, () => {
    const bench = new Bench();
    const next = new Frame();
    bench.batch.ingress[bench.packet(packet)] = ingress;
    bench.run(new SourceCheckNode(forwarding(), bench.counters, next));
    assert.deepEqual(rowsOf(next), passes ? [0] : []);
    assert.deepEqual(bench.drops(), passes ? {} : { reversePath: 1 });
    assert.equal(bench.counters.linkDrops[ingress], passes ? 0 : 1);
  });
}

test('strict, another link: answers would leave elsewhere', () => {
  const tables = forwarding();
  tables.links[1]!.sourceCheck = SourceCheck.strict;
  const bench = new Bench();
  const next = new Frame();
  bench.batch.ingress[bench.packet(literals.udp4)] = 1;
  bench.run(new SourceCheckNode(tables, bench.counters, next));
  assert.deepEqual([next.count, bench.drops()], [0, { reversePath: 1 }]);
});
