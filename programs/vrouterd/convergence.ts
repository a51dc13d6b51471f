/**
 * How long a change takes from its commit at the controller to being read back from this plane, by the controller's clock: ours may be
 * off, and what it is off by is measured with every poll.
 */

/** Measurements that wait for a scrape, at most. */
const KEPT = 1000;

export class Convergence {
  #version = 0;
  #committedUnixMs: number | null = null;
  #seconds: number[] = [];

  /** A version came that was committed then, by the controller's clock; null: it does not say. */
  begins(version: number, committedUnixMs: number | null): void {
    this.#version = version;
    this.#committedUnixMs = committedUnixMs;
  }

  /** This version is on the plane. `controllerUnixMs`: the time there, as far as we know. */
  applied(version: number, controllerUnixMs: number): void {
    if (this.#committedUnixMs === null || version !== this.#version) return;
    this.#seconds.push(Math.max(0, controllerUnixMs - this.#committedUnixMs) / 1000);
    if (this.#seconds.length > KEPT) this.#seconds.shift();
    this.#committedUnixMs = null;
  }

  /** What was measured since the last call, s. */
  take(): number[] {
    const taken = this.#seconds;
    this.#seconds = [];
    return taken;
  }
}
