import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frame } from '../../graph/frame.ts';
import { TunPort } from '../../ports/tun/port.ts';
import { Forwarding, Link } from '../../state/forwarding.ts';
import { literals } from '../../testing/literals.testing.ts';
import { Bench, rowsOf } from '../../testing/rows.testing.ts';
import { tooBigFor } from '../icmp-error/cause.ts';
import { LinkOutput } from './link-output.ts';

test('a link that is down or too small takes nothing', () => {
  const forwarding = new Forwarding();
  const fits = literals.udp4.length / 2;
  forwarding.links.push(
    new Link(0, 'exact', 0, fits, true),
    new Link(1, 'small', 0, fits - 1, true),
    new Link(2, 'down', 0, 1420, true),
  );
  for (const link of forwarding.links) link!.operUp = link!.name !== 'down';
  const bench = new Bench();
  const next = new Frame();
  const errors = new Frame();
  for (const egress of [0, 1, 2]) bench.batch.egress[bench.packet(literals.udp4)] = egress;
  bench.run(new LinkOutput(forwarding, bench.counters, 7, next, new Frame(), new Frame(), errors));
  assert.deepEqual(rowsOf(next), [0]);
  assert.deepEqual(bench.drops(), { mtuExceeded: 1, linkDown: 1 });
  assert.deepEqual([...bench.counters.linkDrops.subarray(0, 3)], [0, 1, 1], 'counted where they should have left');
  assert.deepEqual(rowsOf(errors), [1, 2], 'their senders hear of it');
  assert.equal(bench.batch.error[1], tooBigFor(fits - 1));
});

test('each type of link has its own way out', () => {
  const forwarding = new Forwarding();
  forwarding.links.push(new Link(0, 'wg0', 0, 1420, true), new Link(1, 'host0', 0, 1420, true, 'tun'));
  const bench = new Bench();
  forwarding.links[1]!.tun = new TunPort(1, bench.counters);
  for (const link of forwarding.links) link!.operUp = true;
  const [wireguard, tun] = [new Frame(), new Frame()];
  for (const egress of [0, 1, 0]) bench.batch.egress[bench.packet(literals.udp4)] = egress;
  bench.run(new LinkOutput(forwarding, bench.counters, 7, wireguard, tun, new Frame(), new Frame()));
  assert.deepEqual([rowsOf(wireguard), rowsOf(tun)], [[0, 2], [1]]);
});
