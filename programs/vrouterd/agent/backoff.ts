/** How long to wait after a failure: full jitter, random(0, min(cap, base * 2^n)). */
export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  #attempts = 0;

  constructor(baseMs: number, capMs: number) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
  }

  /** ms. `capMs`: another cap, this once. */
  nextMs(capMs: number = this.#capMs): number {
    return Math.random() * Math.min(capMs, this.#baseMs * 2 ** this.#attempts++);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
