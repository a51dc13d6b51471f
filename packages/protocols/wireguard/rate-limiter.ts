/** A token bucket per IPv4 address or IPv6 /64, section 5.3. It stands behind a valid cookie, so sources cannot be made up. */
import type { IpBytes } from '@vrouter/core/ip.ts';
import type { Millis } from '@vrouter/core/time.ts';
import { RATE_BURST, RATE_PER_SECOND, RATE_SOURCES } from './constants.ts';

const MS_PER_TOKEN = 1000 / RATE_PER_SECOND;
/** An untouched bucket is full after this, and as good as forgotten. */
const FULL_AFTER_MS = MS_PER_TOKEN * RATE_BURST;

interface Bucket {
  tokens: number;
  at: Millis;
}

export class RateLimiter {
  // In the order of last use: what can be forgotten stands in front.
  readonly #buckets = new Map<string, Bucket>();
  readonly #sources: number;

  constructor(sources: number = RATE_SOURCES) {
    this.#sources = sources;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token of the source's. False: it has none left, or nobody new can be remembered. */
  allow(address: IpBytes, now: Millis): boolean {
    const name = sourceName(address);
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      this.#forget(now);
      if (this.#buckets.size >= this.#sources) return false;
      this.#buckets.set(name, { tokens: RATE_BURST - 1, at: now });
      return true;
    }
    bucket.tokens = Math.min(RATE_BURST, bucket.tokens + (now - bucket.at) / MS_PER_TOKEN);
    bucket.at = now;
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #forget(now: Millis): void {
    for (const [name, bucket] of this.#buckets) {
      if (now - bucket.at < FULL_AFTER_MS) return;
      this.#buckets.delete(name);
    }
  }
}

/** A dual-stack socket may show IPv4 as ::ffff:0:0/96 (RFC 4291 section 2.5.5.2), which is not one site. */
function sourceName(address: IpBytes): string {
  if (address.length === 4) return address.join('.');
  const mapped = address[10] === 0xff && address[11] === 0xff && address.subarray(0, 10).every((byte) => byte === 0);
  return (mapped ? address.subarray(12) : address.subarray(0, 8)).join('.');
}
