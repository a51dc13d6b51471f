/** The controller's clock as a gateway knows it: certificates are judged by it, so that a wrong clock of ours locks nobody out. */

import type { ClockState } from '@vrouter/api/gateway/gateway.ts';

/** A wrong clock of a host is told from here on, ms. */
export const WARN_MS = 30_000;
/** And from here on it is told as an error, ms: handshakes, certificates and logs of such a host mislead. */
export const CRITICAL_MS = 5 * 60_000;
/** From here on our own clock is no judge of certificates, ms. */
export const WRONG_MS = 3_600_000;
/** Offsets that the median is taken of. */
const SAMPLES = 8;
/** An offset that differs so much from the others says that a clock was set, ms. */
const JUMP_MS = 60_000;

export function clockStateOf(offsetMs: number): ClockState {
  const amount = Math.abs(offsetMs);
  return amount > CRITICAL_MS ? 'critical' : amount > WARN_MS ? 'off' : 'good';
}

export class ControllerClock {
  /** Our own clock. */
  readonly ourUnixMs: () => number;
  readonly #monotonicMs: () => number;
  #samples: number[] = [];
  /** Our clock minus the monotonic one, at the last measurement, ms. */
  #baseMs = 0;

  constructor(ourUnixMs: () => number, monotonicMs: () => number) {
    this.ourUnixMs = ourUnixMs;
    this.#monotonicMs = monotonicMs;
  }

  /** The controller's clock minus ours, the median of the last measurements, ms; null before the first. */
  get offsetMs(): number | null {
    if (this.#samples.length === 0) return null;
    return this.#samples.toSorted((a, b) => a - b)[Math.floor(this.#samples.length / 2)]!;
  }

  /**
   * What the controller's clock says, as far as we know; ours as long as we do not. From one measurement to the next it goes with the
   * monotonic clock, so that setting ours does not look like time that has passed. Sleep is not seen before the poll that follows it.
   */
  unixMs(): number {
    const { offsetMs } = this;
    return offsetMs === null ? this.ourUnixMs() : this.#baseMs + this.#monotonicMs() + offsetMs;
  }

  get isOursWrong(): boolean {
    return Math.abs(this.offsetMs ?? 0) > WRONG_MS;
  }

  /** Takes in a measurement. Those before a jump of either clock say nothing any more. */
  measured(offsetMs: number): void {
    const before = this.offsetMs;
    if (before !== null && Math.abs(offsetMs - before) > JUMP_MS) this.#samples = [];
    this.#samples.push(offsetMs);
    this.#baseMs = this.ourUnixMs() - this.#monotonicMs();
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }
}

/** `366 days ahead of the controller's`. */
export function offsetText(offsetMs: number): string {
  const amount = Math.abs(offsetMs);
  const span =
    amount < 2 * 3_600_000
      ? `${Math.round(amount / 1000)} s`
      : amount < 48 * 3_600_000
        ? `${Math.round(amount / 3_600_000)} hours`
        : `${Math.round(amount / 86_400_000)} days`;
  return `${span} ${offsetMs < 0 ? 'ahead of' : 'behind'} the controller's`;
}
