/** Which ports of one outside address are taken, for one protocol: bits, so that the next free one is found by words. */

const WORDS = 2048;

export class PortSet {
  /** Given to a mapping. */
  readonly #used: Uint32Array;
  /** Published: never given. */
  readonly #reserved: Uint32Array;

  constructor() {
    this.#used = new Uint32Array(WORDS);
    this.#reserved = new Uint32Array(WORDS);
  }

  isFree(port: number): boolean {
    return (((this.#used[port >>> 5]! | this.#reserved[port >>> 5]!) >>> (port & 31)) & 1) === 0;
  }

  take(port: number): void {
    this.#used[port >>> 5] = this.#used[port >>> 5]! | (1 << (port & 31));
  }

  release(port: number): void {
    this.#used[port >>> 5] = this.#used[port >>> 5]! & ~(1 << (port & 31));
  }

  clearReserved(): void {
    this.#reserved.fill(0);
  }

  reserve(first: number, last: number): void {
    for (let port = first; port <= last; port++)
      this.#reserved[port >>> 5] = this.#reserved[port >>> 5]! | (1 << (port & 31));
  }

  /**
   * A free port from `first` to `last`, -1 when there is none: `wanted` itself, else the next one behind `start` of the same parity
   * (RFC 4787 section 4.2.2), else the next one of the other.
   */
  choose(wanted: number, first: number, last: number, start: number): number {
    if (wanted >= first && wanted <= last && this.isFree(wanted)) return wanted;
    const same = (wanted & 1) === 0 ? 0x55555555 : 0xaaaaaaaa;
    const found = this.#behind(start, first, last, same);
    return found >= 0 ? found : this.#behind(start, first, last, ~same);
  }

  /** The first free port at or behind `start`, round the end of the range, among those of the bit pattern. */
  #behind(start: number, first: number, last: number, pattern: number): number {
    const found = this.#between(start, last, pattern);
    return found >= 0 ? found : this.#between(first, start - 1, pattern);
  }

  #between(from: number, to: number, pattern: number): number {
    for (let word = from >>> 5; word <= to >>> 5; word++) {
      let free = ~(this.#used[word]! | this.#reserved[word]!) & pattern;
      if (word === from >>> 5) free &= -1 << (from & 31);
      if (free === 0) continue;
      const port = word * 32 + 31 - Math.clz32(free & -free);
      return port <= to ? port : -1;
    }
    return -1;
  }
}
