/** A poll that is held: it ends when the configuration changes, its time is up, or it has lost its purpose. */

/** Why a held poll ended. `superseded`: the same gateway asked anew; `stopping`: the controller goes down. */
export type HeldEnd = 'changed' | 'timeout' | 'superseded' | 'revoked' | 'stopping';

export class HeldPoll {
  readonly #ended: Promise<HeldEnd>;
  #end!: (why: HeldEnd) => void;
  #answer: Promise<string> | null = null;

  constructor() {
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Text of the answer's body, the same for every retry. */
  get answer(): Promise<string> {
    if (this.#answer === null) throw new Error('a held poll is answered by run()');
    return this.#answer;
  }

  /** Starts the work whose outcome is the answer. */
  run(work: () => Promise<string>): Promise<string> {
    this.#answer = work();
    // Whoever sends the answer handles its failure; without a sender there is nobody to tell.
    this.#answer.catch(() => undefined);
    return this.#answer;
  }

  /** Ends the wait; the first reason counts. */
  end(why: HeldEnd): void {
    this.#end(why);
  }

  /** Waits to be ended, at most `ms`. */
  async wait(ms: number): Promise<HeldEnd> {
    const timer = setTimeout(() => this.#end('timeout'), ms);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }
}
