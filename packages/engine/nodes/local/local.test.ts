import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '@vrouter/core/time.ts';
import { ROW_OURS } from '../../batch/packet-batch.ts';
import { BreathClock } from '../../graph/breath-clock.ts';
import { Frame } from '../../graph/frame.ts';
import { literals } from '../../testing/literals.testing.ts';
import { Bench, rowsOf } from '../../testing/rows.testing.ts';
import { Local } from './local.ts';

function run(...packets: readonly string[]): { bench: Bench; next: Frame; errors: Frame } {
  const bench = new Bench();
  const next = new Frame();
  const errors = new Frame();
  for (const packet of packets) bench.packet(packet);
  const clock = new BreathClock({ now: () => millis(0), unixMs: () => 0 });
  bench.run(new Local(bench.counters, clock, errors, next));
  return { bench, next, errors };
}

test('echo requests become their replies, byte for byte', () => {
  const { bench, next } = run(literals.echo4, literals.echo6);
  assert.deepEqual(rowsOf(next), [0, 1]);
  assert.deepEqual([bench.hex(0), bench.hex(1)], [literals.reply4, literals.reply6]);
  assert.deepEqual([...bench.batch.flags.subarray(0, 2)], [ROW_OURS, ROW_OURS]);
  assert.deepEqual(bench.drops(), {});
});

const refused: readonly (readonly [string, string, string])[] = [
  ['UDP', literals.udp4, 'noListener'],
  ['UDP over IPv6', literals.udp6, 'noListener'],
  ['an echo reply', literals.reply4, 'noListener'],
  ['an echo reply over IPv6', literals.reply6, 'noListener'],
  ['a destination unreachable', literals.unreachable4, 'noListener'],
  ['an echo request with a code', literals.echo4Code1, 'noListener'],
  ['a neighbour advertisement', literals.advertisement6, 'noListener'],
  ['a piece that is no multiple of 8', literals.echo4Fragment, 'fragmentMalformed'],
  ['IPv4 options', literals.echo4Options, 'ipv4Options'],
  ['half an ICMP header', literals.icmp4Short, 'icmpShort'],
  ['half an ICMPv6 header', literals.icmp6Short, 'icmpShort'],
  ['a wrong ICMP checksum', literals.echo4.replace('3395', '3396'), 'icmpChecksum'],
  ['a wrong ICMPv6 checksum', literals.echo6.replace('c05c', 'c05d'), 'icmpChecksum'],
];
for (const [what, packet, reason] of refused) {
  test(`${what}: ${reason}, and nothing is changed`, () => {
    const { bench, next } = run(packet);
    assert.deepEqual(bench.drops(), { [reason]: 1 });
    assert.equal(next.count, 0);
    assert.equal(bench.hex(0), packet);
  });
}
