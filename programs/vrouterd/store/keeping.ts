/**
 * A store that cannot be written for a while: a full disk, somebody else's lock. What was to be kept is kept later; meanwhile the gateway
 * forwards, answers and polls, and tells that it cannot. Only who may lose something by it waits: what the controller says is not made
 * true before it is stored.
 */
import type { ProblemCode } from '@vrouter/core/codes.ts';
import { type Problem, ProblemError } from '@vrouter/core/problem.ts';
import type { Logger } from 'pino';
import type { Events } from '../events.ts';

const TROUBLES: readonly ProblemCode[] = ['data.unwritable', 'data.corrupt'];

export class Keeping {
  readonly #log: Logger;
  readonly #events: Events;
  #problem: Problem | null = null;

  constructor(log: Logger, events: Events) {
    this.#log = log;
    this.#events = events;
  }

  /** Why the last thing could not be kept; null: it was. */
  get problem(): Problem | null {
    return this.#problem;
  }

  /**
   * Runs `work`, which writes; one that says false had nothing to write. Returns whether the store took it; that it did not is told once.
   * Other failures are thrown on.
   */
  attempt(work: () => unknown): boolean {
    try {
      if (work() === false) return true;
    } catch (thrown) {
      if (!(thrown instanceof ProblemError) || !TROUBLES.includes(thrown.problem.code)) throw thrown;
      this.#failed(thrown.problem);
      return false;
    }
    if (this.#problem === null) return true;
    this.#problem = null;
    this.#log.info('the database takes what it is told again');
    this.#events.emit('problem', 'the database takes what it is told again');
    return true;
  }

  #failed(why: Problem): void {
    if (this.#problem?.code !== why.code) {
      this.#log.error({ code: why.code }, why.message);
      this.#events.emit('problem', `${why.message} (${why.code})`);
    }
    this.#problem = why;
  }
}
