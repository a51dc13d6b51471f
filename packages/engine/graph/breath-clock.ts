import { type Clock, type Millis, millis } from '@vrouter/core/time.ts';

/** The time of a breath: read once, so that all packets of a batch share it and none pays for it. */
export class BreathClock {
  now: Millis;
  /** Wall time, for what formats carry. */
  unixMs: number;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.now = millis(0);
    this.unixMs = 0;
    this.#clock = clock;
    this.read();
  }

  read(): void {
    this.now = this.#clock.now();
    this.unixMs = this.#clock.unixMs();
  }
}
