/**
 * Who sleeps and who must be woken: a word in shared memory per thread. A thread that found nothing to do arms its bell, looks once
 * more, and sleeps; who has published something for it rings. Only the first ring after an armed bell costs a wake-up.
 */
const ASLEEP = 0;
const RUNG = 1;
/** Words between bells, so that they share no cache line. */
const STRIDE = 16;

export function makeBells(threads: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(threads * STRIDE * 4);
  new Int32Array(memory).fill(RUNG);
  return memory;
}

export class Bell {
  readonly #words: Int32Array;
  readonly #mine: number;

  /** `mine`: the number of the thread that holds this object. */
  constructor(memory: SharedArrayBuffer, mine: number) {
    this.#words = new Int32Array(memory);
    this.#mine = mine * STRIDE;
  }

  /** Wakes a thread if it sleeps. */
  ring(thread: number): void {
    const at = thread * STRIDE;
    if (Atomics.exchange(this.#words, at, RUNG) === ASLEEP) Atomics.notify(this.#words, at, 1);
  }

  /** From now on a ring counts. To be followed by a last look at what may have come before. */
  arm(): void {
    Atomics.store(this.#words, this.#mine, ASLEEP);
  }

  /** Resolves at the next ring; null when it has rung since `arm`. Does not keep a thread from ending. */
  rung(): Promise<unknown> | null {
    const { async, value } = Atomics.waitAsync(this.#words, this.#mine, ASLEEP);
    return async ? value : null;
  }
}
