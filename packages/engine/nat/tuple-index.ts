/**
 * Keys of four 32-bit words to a small integer: open addressing in one typed array, linear probing, deletion by moving back what
 * follows, so there are no tombstones to sweep. The hash is keyed, since strangers choose the tuples.
 *
 * Read next: mappings.ts and sessions.ts, which keep all that they know under such keys.
 */

/** Words of a slot: four of the key, then the value. A value of `FREE` is an empty slot. */
const WORDS = 5;
const FREE = -1;

export class TupleIndex {
  count: number;
  readonly #seed: number;
  #mask: number;
  #slots: Int32Array;

  /** `capacity` entries fit before it grows the first time. */
  constructor(seed: number, capacity: number = 8) {
    let slots = 16;
    while (slots * 3 < capacity * 4) slots *= 2;
    this.count = 0;
    this.#seed = seed | 0;
    this.#mask = slots - 1;
    this.#slots = new Int32Array(slots * WORDS).fill(FREE);
  }

  get byteLength(): number {
    return this.#slots.byteLength;
  }

  /** The value under the key, -1 when there is none. */
  find(a: number, b: number, c: number, d: number): number {
    return this.#slots[this.#slotOf(a, b, c, d) * WORDS + 4]!;
  }

  /** Puts a value of 0 or more under the key, in the place of what was there. */
  set(a: number, b: number, c: number, d: number, value: number): void {
    const at = this.#slotOf(a, b, c, d) * WORDS;
    const slots = this.#slots;
    if (slots[at + 4] === FREE) {
      if ((this.count + 1) * 4 > (this.#mask + 1) * 3) {
        this.#grow();
        this.set(a, b, c, d, value);
        return;
      }
      this.count++;
      slots[at] = a;
      slots[at + 1] = b;
      slots[at + 2] = c;
      slots[at + 3] = d;
    }
    slots[at + 4] = value;
  }

  /** Counts under the key: 1 more or less. A count that comes to 0 is forgotten. Returns what it is then. */
  add(a: number, b: number, c: number, d: number, difference: 1 | -1): number {
    const before = this.find(a, b, c, d);
    const after = (before === FREE ? 0 : before) + difference;
    if (after > 0) this.set(a, b, c, d, after);
    else this.delete(a, b, c, d);
    return after;
  }

  delete(a: number, b: number, c: number, d: number): void {
    const slots = this.#slots;
    let hole = this.#slotOf(a, b, c, d);
    if (slots[hole * WORDS + 4] === FREE) return;
    this.count--;
    for (let next = (hole + 1) & this.#mask; slots[next * WORDS + 4] !== FREE; next = (next + 1) & this.#mask) {
      const at = next * WORDS;
      const home = this.#hash(slots[at]!, slots[at + 1]!, slots[at + 2]!, slots[at + 3]!);
      // It may move back unless its home lies behind the hole.
      if (((next - home) & this.#mask) < ((next - hole) & this.#mask)) continue;
      slots.copyWithin(hole * WORDS, at, at + WORDS);
      hole = next;
    }
    slots[hole * WORDS + 4] = FREE;
  }

  /** Every entry, for the slow path. */
  each(visit: (a: number, b: number, c: number, d: number, value: number) => void): void {
    const slots = this.#slots;
    for (let at = 0; at < slots.length; at += WORDS)
      if (slots[at + 4] !== FREE) visit(slots[at]!, slots[at + 1]!, slots[at + 2]!, slots[at + 3]!, slots[at + 4]!);
  }

  #slotOf(a: number, b: number, c: number, d: number): number {
    const slots = this.#slots;
    let slot = this.#hash(a, b, c, d);
    for (;;) {
      const at = slot * WORDS;
      if (slots[at + 4] === FREE) return slot;
      if (slots[at] === (a | 0) && slots[at + 1] === (b | 0) && slots[at + 2] === (c | 0) && slots[at + 3] === (d | 0))
        return slot;
      slot = (slot + 1) & this.#mask;
    }
  }

  #hash(a: number, b: number, c: number, d: number): number {
    let h = this.#seed;
    h = Math.imul(h ^ a, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15) ^ b, 0x85ebca77);
    h = Math.imul(h ^ (h >>> 13) ^ c, 0xc2b2ae3d);
    h = Math.imul(h ^ (h >>> 16) ^ d, 0x27d4eb2f);
    return (h ^ (h >>> 15)) & this.#mask;
  }

  #grow(): void {
    const before = this.#slots;
    this.#mask = 2 * this.#mask + 1;
    this.#slots = new Int32Array((this.#mask + 1) * WORDS).fill(FREE);
    this.count = 0;
    for (let at = 0; at < before.length; at += WORDS)
      if (before[at + 4] !== FREE)
        this.set(before[at]!, before[at + 1]!, before[at + 2]!, before[at + 3]!, before[at + 4]!);
  }
}
