/** How long to wait after a failure: full jitter, random(0, min(cap, base * 2^n)). */
export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  #attempts = 0;

  constructor(baseMs: number, capMs: number) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
  }

  nextMs(): number {
    return Math.random() * Math.min(this.#capMs, this.#baseMs * 2 ** this.#attempts++);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
