/** Packets that wait for their neighbour to be found: few for each, and in all no more than a fixed number of bytes. */
import { HELD_BYTES, HELD_PER_NEIGHBOUR } from './constants.ts';

/** Room for an Ethernet header in front of each packet, on a word of its own. */
export const HELD_HEADROOM = 16;

export interface HeldPacket {
  /** The packet, with `HELD_HEADROOM` bytes in front. */
  readonly bytes: Uint8Array;
  /** The caller's own note: where the packet came from. */
  readonly tag: number;
}

export class HeldPackets {
  bytes: number;
  readonly #queues: Map<number, HeldPacket[]>;
  readonly #limit: number;

  constructor(limit: number = HELD_BYTES) {
    this.bytes = 0;
    this.#queues = new Map();
    this.#limit = limit;
  }

  /** Keeps a copy. Returns how many packets were lost: an older one that had to make room, or this one when all room is taken. */
  hold(entry: number, bytes: Uint8Array, at: number, length: number, tag: number): number {
    const queue = this.#queues.get(entry) ?? [];
    let lost = 0;
    if (queue.length >= HELD_PER_NEIGHBOUR) {
      this.bytes -= queue.shift()!.bytes.length;
      lost++;
    }
    if (this.bytes + length + HELD_HEADROOM > this.#limit) return lost + 1;
    const copy = new Uint8Array(HELD_HEADROOM + length);
    copy.set(bytes.subarray(at, at + length), HELD_HEADROOM);
    queue.push({ bytes: copy, tag });
    this.bytes += copy.length;
    this.#queues.set(entry, queue);
    return lost;
  }

  /** What was held for a neighbour, oldest first; nothing is held for it afterwards. */
  take(entry: number): readonly HeldPacket[] {
    const queue = this.#queues.get(entry);
    if (queue === undefined) return [];
    this.#queues.delete(entry);
    for (const { bytes } of queue) this.bytes -= bytes.length;
    return queue;
  }
}
