/** One timer for the whole engine, for wishes on the engine's clock. */
import type { Millis } from '@vrouter/core/time.ts';

/** Longer waits overflow setTimeout; ringing early is harmless. */
const LONGEST_MS = 2 ** 31 - 1;

export class Alarm {
  readonly #ring: () => void;
  readonly #now: () => Millis;
  #timer: NodeJS.Timeout | null;

  constructor(ring: () => void, now: () => Millis) {
    this.#ring = ring;
    this.#now = now;
    this.#timer = null;
  }

  /** Rings once at `at`, and no more at the time set before. */
  set(at: Millis): void {
    this.cancel();
    // Rounded up: a timer that rings a moment early would only be set again.
    const wait = Math.min(LONGEST_MS, Math.max(0, Math.ceil(at - this.#now())));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#ring();
    }, wait);
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
