/**
 * Work that comes in a burst, a hundred calls in one packet, is begun one piece per turn of the event loop, so that whoever asks something quick meanwhile
 * is not behind all of it.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #isRunning = false;

  begin(work: () => void): void {
    this.#waiting.push(work);
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    const work = this.#waiting.shift();
    if (work === undefined) {
      this.#isRunning = false;
      return;
    }
    // Before the work, which may throw.
    setImmediate(() => this.#next());
    work();
  }
}
