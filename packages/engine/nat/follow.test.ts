import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketBatch } from '../batch/packet-batch.ts';
import { Bench } from '../testing/rows.testing.ts';
import { takeHeld } from './follow.ts';
import { HeldPieces } from './held-pieces.ts';

test('a piece that waited goes on with its own columns; without room in the batch it is counted where it should have left', () => {
  const held = new HeldPieces();
  const piece = Uint8Array.from({ length: 40 }, (_, i) => i);
  const keep = (ingress: number, egress: number): boolean =>
    held.keep(new DataView(piece.buffer), 0, piece.length, 1, 2, 3, 4, 5, ingress, egress);
  assert.ok(keep(1, 2) && keep(1, 2) && keep(1, -1));
  held.release(1, 2, 3, 4);
  const bench = new Bench();
  const { counters } = bench;
  const roomy = new PacketBatch(1, 1, 1000);
  const row = takeHeld(held, roomy, 0, counters);
  const at = roomy.offset[row]!;
  assert.deepEqual(roomy.region[row]!.bytes.slice(at, at + roomy.length[row]!), piece);
  assert.deepEqual([roomy.ingress[row], roomy.egress[row], roomy.vrf[row]], [1, 2, 5]);
  for (const link of [2, 1]) {
    assert.equal(takeHeld(held, roomy, 0, counters), -1);
    assert.equal(counters.linkDrops[link], 1);
  }
  assert.deepEqual(bench.drops(), { madeFull: 2 });
});
