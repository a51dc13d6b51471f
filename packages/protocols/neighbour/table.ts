/**
 * Neighbours by address, as columns: a lookup is a hash and a comparison of four words. Room is fixed; who needs some when there is
 * none takes that of a neighbour that was not used for long. IPv4 addresses are kept as `::ffff:0:0/96`, which is nobody's address on
 * a link.
 */
import { MAC_LEN } from '@vrouter/wire/ethernet/ethernet.ts';

export const NeighbourState = { free: 0, incomplete: 1, reachable: 2, stale: 3, delay: 4, probe: 5 } as const;
export type NeighbourState = (typeof NeighbourState)[keyof typeof NeighbourState];

/** Places that are looked at for one to take. */
const LOOKS = 32;
const MAPPED = 0xffff;

export class NeighbourTable {
  readonly capacity: number;
  readonly state: Uint8Array;
  readonly mac: Uint8Array;
  /** When it was last sent to; 0 when never. */
  readonly usedAt: Float64Array;
  /** When it was last heard to be where we think; 0 when never. */
  readonly confirmedAt: Float64Array;
  count: number;
  readonly #words: Int32Array;
  readonly #buckets: Int32Array;
  readonly #chain: Int32Array;
  readonly #seed: number;
  #hand: number;

  /** `seed` keeps strangers from choosing addresses that meet in one bucket. */
  constructor(capacity: number, seed: number) {
    this.capacity = capacity;
    this.state = new Uint8Array(capacity);
    this.mac = new Uint8Array(capacity * MAC_LEN);
    this.usedAt = new Float64Array(capacity);
    this.confirmedAt = new Float64Array(capacity);
    this.count = 0;
    this.#words = new Int32Array(capacity * 4);
    let size = 16;
    while (size < 2 * capacity) size *= 2;
    this.#buckets = new Int32Array(size).fill(-1);
    this.#chain = new Int32Array(capacity).fill(-1);
    this.#seed = seed | 0;
    this.#hand = 0;
  }

  /** The entry of the address of 4 or 16 bytes at `at`, -1 without. */
  find(v: DataView, at: number, addressBytes: number): number {
    return addressBytes === 4
      ? this.#find(0, 0, MAPPED, v.getInt32(at))
      : this.#find(v.getInt32(at), v.getInt32(at + 4), v.getInt32(at + 8), v.getInt32(at + 12));
  }

  /** A new entry in state `incomplete`; the address must have none. -1 when there is no room and nobody idle to make some. */
  add(v: DataView, at: number, addressBytes: number): number {
    const entry = this.#place();
    if (entry < 0) return -1;
    const four = addressBytes === 4;
    const words = this.#words;
    words[entry * 4] = four ? 0 : v.getInt32(at);
    words[entry * 4 + 1] = four ? 0 : v.getInt32(at + 4);
    words[entry * 4 + 2] = four ? MAPPED : v.getInt32(at + 8);
    words[entry * 4 + 3] = four ? v.getInt32(at) : v.getInt32(at + 12);
    const bucket = this.#bucketOf(entry);
    this.#chain[entry] = this.#buckets[bucket]!;
    this.#buckets[bucket] = entry;
    this.state[entry] = NeighbourState.incomplete;
    this.mac.fill(0, entry * MAC_LEN, entry * MAC_LEN + MAC_LEN);
    this.usedAt[entry] = 0;
    this.confirmedAt[entry] = 0;
    this.count++;
    return entry;
  }

  remove(entry: number): void {
    const bucket = this.#bucketOf(entry);
    if (this.#buckets[bucket] === entry) this.#buckets[bucket] = this.#chain[entry]!;
    else {
      let before = this.#buckets[bucket]!;
      while (this.#chain[before] !== entry) before = this.#chain[before]!;
      this.#chain[before] = this.#chain[entry]!;
    }
    this.#chain[entry] = -1;
    this.state[entry] = NeighbourState.free;
    this.count--;
  }

  /** 4 or 16 bytes. */
  address(entry: number): Uint8Array {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < 4; i++) view.setInt32(i * 4, this.#words[entry * 4 + i]!);
    const mapped = this.#words[entry * 4] === 0 && this.#words[entry * 4 + 1] === 0;
    return mapped && this.#words[entry * 4 + 2] === MAPPED ? bytes.slice(12) : bytes;
  }

  #find(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    let entry = this.#buckets[this.#hash(a, b, c, d)]!;
    while (entry >= 0) {
      const at = entry * 4;
      if (words[at + 3] === d && words[at] === a && words[at + 1] === b && words[at + 2] === c) return entry;
      entry = this.#chain[entry]!;
    }
    return -1;
  }

  #bucketOf(entry: number): number {
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => this.#words[entry * 4 + i]!);
    return this.#hash(a!, b!, c!, d!);
  }

  #hash(a: number, b: number, c: number, d: number): number {
    let h = Math.imul(a ^ this.#seed, 0x9e3779b1);
    h = Math.imul((h ^ (h >>> 15)) + b, 0x85ebca6b);
    h = Math.imul((h ^ (h >>> 13)) + c, 0xc2b2ae35);
    h = Math.imul((h ^ (h >>> 16)) + d, 0x27d4eb2f);
    return (h ^ (h >>> 15)) & (this.#buckets.length - 1);
  }

  /** A free place; when all are taken, that of the idle neighbour among the next few that was used the longest ago. */
  #place(): number {
    const { capacity, state } = this;
    let oldest = -1;
    const looks = this.count < capacity ? capacity : Math.min(LOOKS, capacity);
    for (let i = 0; i < looks; i++) {
      const entry = this.#hand;
      this.#hand = (entry + 1) % capacity;
      if (state[entry] === NeighbourState.free) return entry;
      if (this.count < capacity || state[entry] !== NeighbourState.stale) continue;
      if (oldest < 0 || this.usedAt[entry]! < this.usedAt[oldest]!) oldest = entry;
    }
    if (oldest >= 0) this.remove(oldest);
    return oldest;
  }
}
