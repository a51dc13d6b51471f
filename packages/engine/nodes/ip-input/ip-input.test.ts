import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frame } from '../../graph/frame.ts';
import { Forwarding, Link } from '../../state/forwarding.ts';
import { literals } from '../../testing/literals.testing.ts';
import { Bench, rowsOf } from '../../testing/rows.testing.ts';
import { IpInput } from './ip-input.ts';

function run(...packets: readonly string[]): { bench: Bench; next: Frame } {
  const bench = new Bench();
  const next = new Frame();
  const forwarding = new Forwarding();
  forwarding.links.push(new Link(0, 'wg0', 0, 1420, true));
  for (const packet of packets) bench.packet(packet);
  bench.run(new IpInput(forwarding, bench.counters, new Frame(), next));
  return { bench, next };
}

test('good packets of both families pass unchanged, whatever their TTL', () => {
  const packets = [literals.udp4, literals.udp4Ttl1, literals.udp6, literals.echo4Options, literals.linkLocal6Src];
  const { bench, next } = run(...packets);
  assert.deepEqual(rowsOf(next), [0, 1, 2, 3, 4]);
  assert.deepEqual(
    rowsOf(next).map((row) => bench.hex(row)),
    packets,
  );
  assert.deepEqual(bench.drops(), {});
});

test('what stands behind the packet is cut off and becomes room', () => {
  const { bench, next } = run(`${literals.udp4}ffff`, `${literals.udp6}eeeeee`);
  assert.deepEqual(
    rowsOf(next).map((row) => bench.hex(row)),
    [literals.udp4, literals.udp6],
  );
  assert.deepEqual([...bench.batch.tailroom.subarray(0, 2)], [66, 67]);
});

const udp4 = literals.udp4;
const bad: readonly (readonly [string, string, string])[] = [
  ['nothing at all', '', 'ipVersion'],
  ['version 5', `5${udp4.slice(1)}`, 'ipVersion'],
  ['a short IPv4 header', udp4.slice(0, 38), 'ipv4Short'],
  ['a header length of 16', `44${udp4.slice(2)}`, 'ipv4HeaderLength'],
  ['a header longer than the packet', `4f${udp4.slice(2)}`, 'ipv4HeaderLength'],
  ['a total length beyond the packet', udp4.slice(0, -2), 'ipv4TotalLength'],
  ['a wrong header checksum', udp4.replace('09ea', '09eb'), 'ipv4Checksum'],
  ['a short IPv6 header', literals.udp6.slice(0, 78), 'ipv6Short'],
  ['an IPv6 payload beyond the packet', literals.udp6.slice(0, -2), 'ipv6PayloadLength'],
  // Addresses; the checksums are right, so that nothing else is wrong.
  ['from 0.1.2.3', '450000141c46400040111240000102030a4d0003', 'martianSource'],
  ['from 127.0.0.1', '450000141c464000401195427f0000010a4d0003', 'martianSource'],
  ['from 224.0.0.1', '450000141c46400040113442e00000010a4d0003', 'martianSource'],
  ['from 255.255.255.255', '450000141c46400040111444ffffffff0a4d0003', 'martianSource'],
  ['from 240.0.0.1', '450000141c46400040112442f00000010a4d0003', 'martianSource'],
  ['to 0.0.0.0', '450000141c464000401114450a4d000200000000', 'martianDestination'],
  ['to 127.0.0.1', '450000141c464000401195430a4d00027f000001', 'martianDestination'],
  ['to 240.0.0.1', '450000141c464000401124430a4d0002f0000001', 'martianDestination'],
  ['to 255.255.255.255', '450000141c464000401114450a4d0002ffffffff', 'martianDestination'],
  ['to 224.0.0.251', '450000141c464000401133490a4d0002e00000fb', 'multicast'],
  ['from ::', '600000000000114000000000000000000000000000000000fd770000000000000000000000000003', 'martianSource'],
  ['from ::1', '600000000000114000000000000000000000000000000001fd770000000000000000000000000003', 'martianSource'],
  ['from ff02::1', '6000000000001140ff020000000000000000000000000001fd770000000000000000000000000003', 'martianSource'],
  ['to ::', '6000000000001140fd77000000000000000000000000000200000000000000000000000000000000', 'martianDestination'],
  ['to ::1', '6000000000001140fd77000000000000000000000000000200000000000000000000000000000001', 'martianDestination'],
  ['to ff02::1', '6000000000001140fd770000000000000000000000000002ff020000000000000000000000000001', 'multicast'],
];
for (const [what, packet, reason] of bad) {
  test(`${what}: ${reason}`, () => {
    const { bench, next } = run(packet);
    assert.deepEqual(bench.drops(), { [reason]: 1 });
    assert.equal(next.count, 0);
    assert.equal(bench.counters.linkDrops[0], 1);
  });
}
