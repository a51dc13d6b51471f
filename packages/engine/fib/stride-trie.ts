/**
 * Longest-prefix match over addresses of 4 or 16 bytes: a multibit trie with expanded prefixes (a route fills every entry of its block
 * that it covers), so a lookup is a few dependent loads and never backtracks. The first level takes 8 bits, further levels `stride`
 * bits each; blocks below the first exist only where routes are longer, and go when the last of those goes. Nothing is allocated
 * before the first route.
 *
 *   entry >= 0   the value of the longest prefix that covers it (0 = none); `bits` holds that prefix's length
 *   entry <  0   ~(number of the block below)
 *
 * Expansion forgets which shorter prefix lies under a longer one, so the routes are also kept by exact prefix: a removal looks there
 * for what to restore.
 */
import { exactKey } from './exact-key.ts';

const ROOT_BITS = 8;
const ROOT_SIZE = 1 << ROOT_BITS;

export class StrideTrie {
  /** Routes held. */
  size: number;
  readonly #stride: 4 | 8;
  readonly #blockSize: number;
  /** The first 256 entries are the root, then block n stands at 256 + n * blockSize. */
  #entry: Int32Array;
  #bits: Uint8Array;
  /** How many routes end inside each block or below it. */
  #routesIn: Int32Array;
  #blocks: number;
  #freeBlocks: number[];
  readonly #exact: Map<string, number>;
  /** Routes per prefix length, so that the search for a cover skips lengths that nobody uses. */
  readonly #perLength: Int32Array;

  /** `stride`: 8 makes short paths (IPv4), 4 makes small blocks (IPv6). */
  constructor(stride: 4 | 8) {
    this.size = 0;
    this.#stride = stride;
    this.#blockSize = 1 << stride;
    this.#entry = new Int32Array(0);
    this.#bits = new Uint8Array(0);
    this.#routesIn = new Int32Array(0);
    this.#blocks = 0;
    this.#freeBlocks = [];
    this.#exact = new Map();
    this.#perLength = new Int32Array(129);
  }

  /** The value for the 4 bytes at `at`, 0 when no prefix covers them. */
  lookup4(bytes: Uint8Array, at: number): number {
    const entry = this.#entry;
    if (entry.length === 0) return 0;
    let found = entry[bytes[at]!]!;
    if (found >= 0) return found;
    found = entry[ROOT_SIZE + (~found << 8) + bytes[at + 1]!]!;
    if (found >= 0) return found;
    found = entry[ROOT_SIZE + (~found << 8) + bytes[at + 2]!]!;
    if (found >= 0) return found;
    return entry[ROOT_SIZE + (~found << 8) + bytes[at + 3]!]!;
  }

  /** The value for the 16 bytes at `at`, 0 when no prefix covers them. */
  lookup6(bytes: Uint8Array, at: number): number {
    const entry = this.#entry;
    if (entry.length === 0) return 0;
    let found = entry[bytes[at]!]!;
    for (let i = at + 1; found < 0; i++) {
      const byte = bytes[i]!;
      found = entry[ROOT_SIZE + (~found << 4) + (byte >>> 4)]!;
      if (found >= 0) break;
      found = entry[ROOT_SIZE + (~found << 4) + (byte & 15)]!;
    }
    return found;
  }

  /** The value of exactly this prefix, 0 when there is none. */
  get(address: Uint8Array, bits: number): number {
    return this.#exact.get(exactKey(address, bits)) ?? 0;
  }

  /** Adds the prefix or replaces its value (a positive integer). Host bits of `address` do not count. */
  set(address: Uint8Array, bits: number, value: number): void {
    if (this.#entry.length === 0) this.#grow(ROOT_SIZE);
    const key = exactKey(address, bits);
    const added = this.#exact.has(key) ? 0 : 1;
    this.#exact.set(key, value);
    this.size += added;
    this.#perLength[bits] = this.#perLength[bits]! + added;
    let base = 0;
    let depth = 0;
    let width = ROOT_BITS;
    while (bits > depth + width) {
      const at = base + bitsAt(address, depth, width);
      if (this.#entry[at]! >= 0) this.#push(at);
      const block = ~this.#entry[at]!;
      this.#routesIn[block] = this.#routesIn[block]! + added;
      base = ROOT_SIZE + block * this.#blockSize;
      depth += width;
      width = this.#stride;
    }
    const from = base + firstEntry(address, bits, depth, width);
    this.#fill(from, from + (1 << (depth + width - bits)), bits, value, bits);
  }

  /** Removes the prefix; what lies under it shows again. False when there was none. */
  remove(address: Uint8Array, bits: number): boolean {
    if (!this.#exact.delete(exactKey(address, bits))) return false;
    this.size--;
    this.#perLength[bits] = this.#perLength[bits]! - 1;
    let coverBits = bits - 1;
    let cover = 0;
    for (; coverBits >= 0; coverBits--) {
      if (this.#perLength[coverBits] !== 0) cover = this.get(address, coverBits);
      if (cover !== 0) break;
    }
    if (coverBits < 0) coverBits = 0;
    let base = 0;
    let depth = 0;
    let width = ROOT_BITS;
    while (bits > depth + width) {
      const at = base + bitsAt(address, depth, width);
      const block = ~this.#entry[at]!;
      this.#routesIn[block] = this.#routesIn[block]! - 1;
      if (this.#routesIn[block] === 0) {
        // Nothing ends below any more, so all of it was this route and its cover.
        this.#free(block);
        this.#entry[at] = cover;
        this.#bits[at] = coverBits;
        return true;
      }
      base = ROOT_SIZE + block * this.#blockSize;
      depth += width;
      width = this.#stride;
    }
    const from = base + firstEntry(address, bits, depth, width);
    this.#fill(from, from + (1 << (depth + width - bits)), bits, cover, coverBits);
    return true;
  }

  /** Bytes of the tables, for those who watch memory. */
  get tableBytes(): number {
    return this.#entry.byteLength + this.#bits.byteLength + this.#routesIn.byteLength;
  }

  /** Blocks below the root in use. */
  get blocks(): number {
    return this.#blocks - this.#freeBlocks.length;
  }

  /** Gives entries whose prefix is at most `upTo` bits long another owner, in blocks below too. */
  #fill(from: number, to: number, upTo: number, value: number, bits: number): void {
    for (let at = from; at < to; at++) {
      const found = this.#entry[at]!;
      if (found < 0) {
        const below = ROOT_SIZE + ~found * this.#blockSize;
        this.#fill(below, below + this.#blockSize, upTo, value, bits);
      } else if (this.#bits[at]! <= upTo) {
        this.#entry[at] = value;
        this.#bits[at] = bits;
      }
    }
  }

  /** Puts a block under an entry; the block starts with the entry's own value everywhere. */
  #push(at: number): void {
    const block = this.#freeBlocks.pop() ?? this.#blocks++;
    const base = ROOT_SIZE + block * this.#blockSize;
    if (base + this.#blockSize > this.#entry.length) this.#grow(base + this.#blockSize);
    this.#entry.fill(this.#entry[at]!, base, base + this.#blockSize);
    this.#bits.fill(this.#bits[at]!, base, base + this.#blockSize);
    this.#routesIn[block] = 0;
    this.#entry[at] = ~block;
  }

  /** Frees a block and, when the removed route was the only one below, the chain under it. */
  #free(block: number): void {
    const base = ROOT_SIZE + block * this.#blockSize;
    for (let at = base; at < base + this.#blockSize; at++) if (this.#entry[at]! < 0) this.#free(~this.#entry[at]!);
    this.#freeBlocks.push(block);
  }

  /** Half as much again each time: doubling would hold up to half of a big table in vain. */
  #grow(needed: number): void {
    const size = Math.max(needed, Math.ceil(this.#entry.length * 1.5));
    const entry = new Int32Array(size);
    entry.set(this.#entry);
    this.#entry = entry;
    const bits = new Uint8Array(size);
    bits.set(this.#bits);
    this.#bits = bits;
    const routesIn = new Int32Array(Math.ceil((size - ROOT_SIZE) / this.#blockSize));
    routesIn.set(this.#routesIn);
    this.#routesIn = routesIn;
  }
}

/** `width` (8 or 4) bits of the address from bit `depth`, which is a multiple of the width. */
function bitsAt(address: Uint8Array, depth: number, width: number): number {
  const i = depth >>> 3;
  if (width === 8) return address[i]!;
  return (depth & 4) === 0 ? address[i]! >>> 4 : address[i]! & 15;
}

/** The first entry in its block that a prefix covers. */
function firstEntry(address: Uint8Array, bits: number, depth: number, width: number): number {
  const spare = depth + width - bits;
  return (bitsAt(address, depth, width) >>> spare) << spare;
}
