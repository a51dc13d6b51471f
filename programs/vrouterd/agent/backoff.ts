/**
 * How long to wait after a failure: full jitter, random(0, min(cap, base * 2^n)). A success makes n small again only once it has lasted:
 * who answers one question in three and falls over in between is no friend of being asked at once.
 */

/** A success that has lasted this long counts, ms. */
export const LASTING_MS = 30_000;

export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  #attempts = 0;
  /** Since when there were only successes, by the clock of the caller, ms; null after a failure. */
  #goodSinceMs: number | null = null;

  constructor(baseMs: number, capMs: number) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
  }

  /** After a failure at `nowMs`: ms to wait. `capMs`: another cap, this once. */
  failed(nowMs: number, capMs: number = this.#capMs): number {
    if (this.#goodSinceMs !== null && nowMs - this.#goodSinceMs >= LASTING_MS) this.#attempts = 0;
    this.#goodSinceMs = null;
    return Math.random() * Math.min(capMs, this.#baseMs * 2 ** this.#attempts++);
  }

  succeeded(nowMs: number): void {
    this.#goodSinceMs ??= nowMs;
  }

  /** Begins anew, whatever was. */
  reset(): void {
    this.#attempts = 0;
    this.#goodSinceMs = null;
  }
}
