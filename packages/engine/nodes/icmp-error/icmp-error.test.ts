import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '@vrouter/core/time.ts';
import { MADE_BYTES, PacketBatch, ROW_ABOUT_NAT_IN, ROW_NAT_IN, ROW_OURS } from '../../batch/packet-batch.ts';
import { BreathClock } from '../../graph/breath-clock.ts';
import { Frame } from '../../graph/frame.ts';
import { icmpOutcomes } from '../../graph/icmp-outcomes.ts';
import { Forwarding, Link } from '../../state/forwarding.ts';
import { literals } from '../../testing/literals.testing.ts';
import { Bench, rowsOf } from '../../testing/rows.testing.ts';
import { IcmpCause } from './cause.ts';
import { IcmpError } from './icmp-error.ts';
import { GLOBAL_BURST } from './rate-limit.ts';

/** Packets through the node, each with the cause given; what came of them by outcome. */
function run(packets: readonly string[], flags = 0, madeBytes = MADE_BYTES) {
  const forwarding = new Forwarding();
  const link = new Link(0, 'wg0', 0, 1420, true);
  link.address4 = Uint8Array.of(10, 77, 0, 1);
  link.address6 = Uint8Array.fromHex('fd770000000000000000000000000001');
  forwarding.links.push(link);
  const bench = new Bench(new PacketBatch(256, 0, madeBytes));
  const next = new Frame();
  for (const packet of packets) {
    const row = bench.packet(packet);
    bench.batch.error[row] = IcmpCause.hostUnreachable;
    bench.batch.flags[row] = flags;
  }
  const clock = new BreathClock({ now: () => millis(1000), unixMs: () => 0 });
  bench.run(new IcmpError(forwarding, bench.counters, clock, 7, next));
  const outcomes = Object.fromEntries(
    icmpOutcomes.map((name, i) => [name, bench.counters.icmp[i]!] as const).filter(([, count]) => count > 0),
  );
  return { bench, next, outcomes };
}

const silent: readonly (readonly [what: string, packet: string, outcome: string])[] = [
  ['an unspecified source', literals.udp4.replace('0a4d0002', '00000000'), 'aboutMartian'],
  ['a loopback source', literals.udp4.replace('0a4d0002', '7f000001'), 'aboutMartian'],
  ['a multicast source', literals.udp4.replace('0a4d0002', 'e0000001'), 'aboutMartian'],
  ['a multicast destination', literals.udp4.replace('0a4d0003', 'e0000005'), 'aboutMulticast'],
  ['the broadcast address', literals.udp4.replace('0a4d0003', 'ffffffff'), 'aboutMulticast'],
  ['a later piece', literals.udp4.replace('4000401109', '0001401109'), 'aboutFragment'],
  ['an ICMP error', literals.unreachable4, 'aboutError'],
  ['an unspecified IPv6 source', literals.udp6.replace(/fd77.{28}/, '0'.repeat(32)), 'aboutMartian'],
  ['a multicast IPv6 source', literals.udp6.replace('fd77', 'ff02'), 'aboutMartian'],
  ['a multicast IPv6 destination', literals.udp6.replace(/(.{48})fd77/, '$1ff02'), 'aboutMulticast'],
  ['an ICMPv6 error', literals.echo6.replace('8000c05c', '0100c05c'), 'aboutError'],
];
for (const [what, packet, outcome] of silent) {
  test(`nothing is said about ${what}`, () => {
    const { next, outcomes } = run([packet]);
    assert.deepEqual([next.count, outcomes], [0, { [outcome]: 1 }]);
  });
}

test('what we made ourselves gets no error', () => {
  assert.deepEqual(run([literals.reply4, literals.reply6], ROW_OURS).outcomes, { aboutOurs: 2 });
});

test('an error about a translated packet is translated itself', () => {
  const { bench, next } = run([literals.udp4], ROW_NAT_IN);
  assert.deepEqual([rowsOf(next), bench.batch.flags[0]], [[0], ROW_OURS | ROW_ABOUT_NAT_IN]);
});

test('the row becomes the error, in memory of its own', () => {
  const { bench, next } = run([literals.udp4]);
  assert.deepEqual(rowsOf(next), [0]);
  assert.equal(bench.batch.region[0], bench.batch.made);
  assert.equal(bench.batch.flags[0], ROW_OURS);
  assert.match(bench.hex(0), new RegExp(`^45c0003b.*0301.*${literals.udp4}$`));
});

test('one destination is told only so often, all together too, and memory ends', () => {
  const { outcomes } = run(Array.from({ length: 256 }, () => literals.udp4));
  assert.deepEqual(outcomes, { unreachable: 20, rateDestination: 236 });
  const many = Array.from({ length: 256 }, (_, i) =>
    literals.udp4.replace('0a4d0002', `0a4d${(i + 256).toString(16).padStart(4, '0')}`),
  );
  assert.deepEqual(run(many).outcomes, { unreachable: GLOBAL_BURST, rateGlobal: 256 - GLOBAL_BURST });
  assert.deepEqual(run([literals.udp4, literals.udp6], 0, 200).outcomes, { unreachable: 1, noMemory: 1 });
});
