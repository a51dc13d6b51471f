import { unlessAborted } from './unless-aborted.ts';

/** One call changes things at a time, in the order in which they came. */
export class Writer {
  #last: Promise<void> = Promise.resolve();

  /**
   * Does the work when all that was asked for before is done. Who stops waiting before it begins is told so at once, by the signal's reason,
   * and nothing of it is done; what has begun is always done to its end.
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const turn = this.#last;
    const done = Promise.withResolvers<void>();
    this.#last = turn.then(() => done.promise);
    try {
      await unlessAborted(signal, () => turn);
      return await work();
    } finally {
      done.resolve();
    }
  }
}
