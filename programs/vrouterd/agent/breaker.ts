/**
 * A circuit breaker of one address, a mind without hands. Its clock is an argument, ms, monotonic.
 *
 *   closed ──two failures in a row, or nobody there at all──> open ──the wait is over──> half-open ──one try──> closed, or open again
 *
 * Whoever answered may have lost one packet; whoever does not take the connection is away, and asking twice only costs time.
 */
import { Backoff } from './backoff.ts';

export type Circuit = 'closed' | 'open' | 'halfOpen';

/** Failures in a row that open it. */
const FAILURES = 2;
const BASE_MS = 1000;
/** Longest wait before the next try, ms. */
export const CAP_MS = 60_000;

export class Breaker {
  readonly #backoff = new Backoff(BASE_MS, CAP_MS);
  #failures = 0;
  #openUntilMs: number | null = null;

  circuit(nowMs: number): Circuit {
    if (this.#openUntilMs === null) return 'closed';
    return nowMs < this.#openUntilMs ? 'open' : 'halfOpen';
  }

  /** When it may be tried again; `nowMs` when that is now. */
  readyAtMs(nowMs: number): number {
    return Math.max(nowMs, this.#openUntilMs ?? nowMs);
  }

  succeeded(nowMs: number): void {
    this.#failures = 0;
    this.#openUntilMs = null;
    this.#backoff.succeeded(nowMs);
  }

  /**
   * `isAway`: it did not even take the connection. `capMs`: longest wait, this once. `waitMs`: it was told how long, and that counts
   * (with some chance added by the caller); it opens then at once.
   */
  failed(
    nowMs: number,
    { isAway, capMs, waitMs }: { readonly isAway: boolean; readonly capMs?: number; readonly waitMs?: number },
  ): void {
    this.#failures++;
    const wasOpen = this.#openUntilMs !== null;
    if (waitMs !== undefined) this.#openUntilMs = nowMs + waitMs;
    else if (wasOpen || isAway || this.#failures >= FAILURES)
      this.#openUntilMs = nowMs + this.#backoff.failed(nowMs, capMs);
  }

  /** May be tried at once. */
  hurry(): void {
    if (this.#openUntilMs !== null) this.#openUntilMs = 0;
  }
}
