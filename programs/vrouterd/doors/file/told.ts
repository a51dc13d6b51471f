/** What of the configuration file is not as it says: who wrote it reads the log. */
import type { IntentProblem } from '@vrouter/intent/index/complaints.ts';
import type { Desired } from '@vrouter/intent/index/desired.ts';
import type { Logger } from 'pino';

export class FileTold {
  readonly #desired: Pick<Desired, 'problems'>;
  readonly #log: Pick<Logger, 'warn'>;
  #known: ReadonlySet<string> = new Set();

  constructor(desired: Pick<Desired, 'problems'>, log: Pick<Logger, 'warn'>) {
    this.#desired = desired;
    this.#log = log;
  }

  /** Warns of each that is new since the last call. */
  tell(): void {
    const now = new Map<string, IntentProblem>();
    for (const one of this.#desired.problems())
      if (one.source === 'file') now.set(`${one.key} ${one.problem.code} ${one.problem.message}`, one);
    for (const [text, { key, problem }] of now)
      if (!this.#known.has(text))
        this.#log.warn(
          { key, code: problem.code, why: problem.message },
          'this of the configuration file is not as it says',
        );
    this.#known = new Set(now.keys());
  }
}
