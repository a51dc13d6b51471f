/** Packets that waited for a neighbour in vain: they enter the graph once more, for their senders to hear of it. */
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { ReceivingPort } from '../../breath.ts';
import type { Region } from '../datagram.ts';

interface Lost {
  readonly region: Region;
  readonly at: number;
  readonly length: number;
  readonly ingress: number;
  readonly flags: number;
  readonly egress: number;
}

export class LostPackets implements ReceivingPort {
  readonly input = 'neighbour-lost';
  #packets: Lost[];

  constructor() {
    this.#packets = [];
  }

  /** `ingress`: the link that it came in by. `egress`: the link on which nobody answered. */
  add(region: Region, at: number, length: number, ingress: number, flags: number, egress: number): void {
    this.#packets.push({ region, at, length, ingress, flags, egress });
  }

  receive(batch: PacketBatch): number {
    batch.count = 0;
    const taken = this.#packets.splice(0, batch.capacity);
    for (const { region, at, length, ingress, flags, egress } of taken) {
      const row = batch.count++;
      batch.region[row] = region;
      batch.offset[row] = at;
      batch.length[row] = length;
      batch.tailroom[row] = 0;
      batch.ingress[row] = ingress;
      batch.egress[row] = egress;
      batch.flags[row] = flags;
    }
    return batch.count;
  }
}
