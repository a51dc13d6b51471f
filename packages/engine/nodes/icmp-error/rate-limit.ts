/**
 * How many errors may be sent: token buckets, one for all and one per destination (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f)).
 * Destinations share a fixed number of buckets by a seeded hash, so memory is bounded and nobody can choose whom to share with.
 */
import type { Millis } from '@vrouter/core/time.ts';

/** Errors per second after the burst. A traceroute sends three probes per hop, sixteen at once. */
export const GLOBAL_RATE = 1000;
export const GLOBAL_BURST = 200;
export const DESTINATION_RATE = 20;
export const DESTINATION_BURST = 20;
const BUCKETS = 1024;

export class IcmpRateLimit {
  readonly #seed: number;
  /** The rate of all and its burst, of this worker. */
  readonly #globalRate: number;
  readonly #globalBurst: number;
  readonly #tokens: Float64Array;
  readonly #filledAt: Float64Array;

  /** `workers`: how many share what may be sent to all. What goes to one destination comes mostly from one of them. */
  constructor(seed: number, workers: number = 1) {
    this.#seed = seed;
    this.#globalRate = GLOBAL_RATE / workers;
    this.#globalBurst = GLOBAL_BURST / workers;
    // The last is the one for all.
    this.#tokens = new Float64Array(BUCKETS + 1).fill(DESTINATION_BURST);
    this.#tokens[BUCKETS] = this.#globalBurst;
    this.#filledAt = new Float64Array(BUCKETS + 1);
  }

  /** Takes a token of the destination whose address stands at `at`. False: it gets no more for now. */
  takeFor(bytes: Uint8Array, at: number, length: number, now: Millis): boolean {
    let hash = this.#seed;
    for (let i = 0; i < length; i++) {
      hash = Math.imul(hash ^ bytes[at + i]!, 0x01000193);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
    return this.#take((hash ^ (hash >>> 16)) & (BUCKETS - 1), DESTINATION_RATE, DESTINATION_BURST, now);
  }

  /** Takes a token of all. */
  takeGlobal(now: Millis): boolean {
    return this.#take(BUCKETS, this.#globalRate, this.#globalBurst, now);
  }

  #take(bucket: number, rate: number, burst: number, now: Millis): boolean {
    const since = Math.max(0, now - this.#filledAt[bucket]!);
    const tokens = Math.min(burst, this.#tokens[bucket]! + (since * rate) / 1000);
    this.#filledAt[bucket] = now;
    this.#tokens[bucket] = tokens >= 1 ? tokens - 1 : tokens;
    return tokens >= 1;
  }
}
