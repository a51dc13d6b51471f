/** One node on its own: literal packets in, rows on its frames and counters out. */
import { makeRegion, PacketBatch } from '../batch/packet-batch.ts';
import { Counters } from '../graph/counters.ts';
import { dropReasons } from '../graph/drops.ts';
import { Frame } from '../graph/frame.ts';
import { type GraphNode, nodeNames } from '../graph/graph.ts';

const HEADROOM = 64;

export class Bench {
  readonly batch: PacketBatch;
  readonly counters = new Counters(nodeNames.length, 32);
  readonly frame = new Frame();

  /** `batch`: one with room for made packets, for nodes that make some. */
  constructor(batch: PacketBatch = new PacketBatch()) {
    this.batch = batch;
  }

  /** Adds a packet from hex, with 64 spare bytes around it; returns its row. */
  packet(hex: string): number {
    const bytes = Uint8Array.fromHex(hex);
    const region = makeRegion(bytes.length + 2 * HEADROOM);
    region.bytes.fill(0xa5);
    region.bytes.set(bytes, HEADROOM);
    const row = this.batch.count++;
    this.batch.region[row] = region;
    this.batch.offset[row] = HEADROOM;
    this.batch.length[row] = bytes.length;
    this.batch.tailroom[row] = HEADROOM;
    return row;
  }

  /** Puts all packets through the node. */
  run(node: GraphNode): void {
    this.frame.count = 0;
    for (let row = 0; row < this.batch.count; row++) this.frame.push(row);
    node.process(this.batch, this.frame);
  }

  hex(row: number): string {
    const at = this.batch.offset[row]!;
    return this.batch.region[row]!.bytes.subarray(at, at + this.batch.length[row]!).toHex();
  }

  /** Drops by name, those that are not zero. */
  drops(): { readonly [reason: string]: number } {
    return Object.fromEntries(
      dropReasons.map((name, i) => [name, this.counters.drops[i]!] as const).filter(([, count]) => count !== 0),
    );
  }
}

export function rowsOf(frame: Frame): number[] {
  return [...frame.rows.subarray(0, frame.count)];
}
