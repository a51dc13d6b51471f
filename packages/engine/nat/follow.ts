/** Pieces that waited become rows again, behind the first one of their datagram. */
import type { PacketBatch } from '../batch/packet-batch.ts';
import type { Counters } from '../graph/counters.ts';
import { Drop } from '../graph/drops.ts';
import type { HeldPieces } from './held-pieces.ts';

/** The row of the next piece that is ready; -1 when the batch has no room for it, which is counted. `like` is any row of the batch. */
export function takeHeld(held: HeldPieces, batch: PacketBatch, like: number, counters: Counters): number {
  const slot = held.next();
  const from = held.at[slot]!;
  const length = held.length[slot]!;
  const ingress = held.ingress[slot]!;
  const egress = held.egress[slot]!;
  if (!batch.hasRoom(1, length)) {
    counters.drop(Drop.madeFull, egress < 0 ? ingress : egress);
    return -1;
  }
  const to = batch.reserve(length);
  batch.made.bytes.set(held.slab.subarray(from, from + length), to);
  const row = batch.spareRow(like);
  batch.moveToMade(row, to, length);
  batch.ingress[row] = ingress;
  batch.vrf[row] = held.vrf[slot]!;
  batch.egress[row] = egress;
  // Neither made here nor translated: such pieces never wait.
  batch.flags[row] = 0;
  return row;
}
