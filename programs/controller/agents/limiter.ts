/** Token buckets by name: how often something may fail before it is not tried any more. */

interface Bucket {
  left: number;
  atUnixMs: number;
}

const BUCKETS_MAX = 10_000;

export class Limiter {
  readonly #burst: number;
  readonly #refillMs: number;
  readonly #unixMs: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `burst` at once, then one more each `refillMs`. */
  constructor(burst: number, refillMs: number, unixMs: () => number) {
    this.#burst = burst;
    this.#refillMs = refillMs;
    this.#unixMs = unixMs;
  }

  /** 0 when there is something left; else how long until there is, ms. */
  waitMs(name: string): number {
    const left = this.#left(name);
    return left >= 1 ? 0 : Math.ceil((1 - left) * this.#refillMs);
  }

  /** Takes one. */
  take(name: string): void {
    const left = this.#left(name);
    this.#buckets.delete(name);
    if (this.#buckets.size >= BUCKETS_MAX) this.#prune();
    this.#buckets.set(name, { left: Math.max(0, left - 1), atUnixMs: this.#unixMs() });
  }

  #left(name: string): number {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return this.#burst;
    // A wall clock that was set back must not refill nor lock for ever.
    const passed = Math.max(0, this.#unixMs() - bucket.atUnixMs);
    return Math.min(this.#burst, bucket.left + passed / this.#refillMs);
  }

  /** Full buckets are as good as none; if that is not enough, the oldest go. */
  #prune(): void {
    for (const name of [...this.#buckets.keys()]) if (this.#left(name) >= this.#burst) this.#buckets.delete(name);
    for (const name of this.#buckets.keys()) {
      if (this.#buckets.size < BUCKETS_MAX) break;
      this.#buckets.delete(name);
    }
  }
}
