import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROW_OURS } from '../../batch/packet-batch.ts';
import { Frame } from '../../graph/frame.ts';
import { Forwarding } from '../../state/forwarding.ts';
import { literals } from '../../testing/literals.testing.ts';
import { Bench, rowsOf } from '../../testing/rows.testing.ts';
import { IpRewrite } from './ip-rewrite.ts';

test('one hop less and a right checksum', () => {
  const bench = new Bench();
  const next = new Frame();
  for (const packet of [literals.udp4, literals.udp4Ttl2, literals.udp6]) bench.packet(packet);
  bench.run(new IpRewrite(new Forwarding(), bench.counters, next, new Frame(), new Frame()));
  assert.deepEqual(rowsOf(next), [0, 1, 2]);
  assert.deepEqual(
    [bench.hex(0), bench.hex(1), bench.hex(2)],
    [literals.udp4Ttl63, literals.udp4Ttl1, literals.udp6.replace('1140fd77', '113ffd77')],
  );
});

test('our own packets leave as they were made', () => {
  const bench = new Bench();
  const next = new Frame();
  bench.packet(literals.reply4);
  bench.packet(literals.udp4Ttl1);
  bench.batch.flags.fill(ROW_OURS);
  bench.run(new IpRewrite(new Forwarding(), bench.counters, next, new Frame(), new Frame()));
  assert.deepEqual(rowsOf(next), [0, 1]);
  assert.deepEqual([bench.hex(0), bench.hex(1)], [literals.reply4, literals.udp4Ttl1]);
});

test('expired packets and link-local addresses end here', () => {
  const bench = new Bench();
  const next = new Frame();
  const expired = [
    literals.udp4Ttl1,
    literals.udp6.replace('1140fd77', '1101fd77'),
    literals.udp6.replace('1140fd77', '1100fd77'),
  ];
  const linkLocal = [literals.linkLocal4Src, literals.linkLocal4Dst, literals.linkLocal6Src, literals.linkLocal6Dst];
  for (const packet of [...expired, ...linkLocal]) bench.packet(packet);
  bench.run(new IpRewrite(new Forwarding(), bench.counters, next, new Frame(), new Frame()));
  assert.equal(next.count, 0);
  assert.deepEqual(bench.drops(), { ttlExpired: 3, linkLocal: 4 });
});
