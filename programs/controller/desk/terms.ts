/** On what terms a change is asked for: only from a state that the asker knows, so that the answer can be had again, or only to see what it would do. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Asking } from '../desired/asking.ts';

export interface Terms extends Pick<Asking, 'keep' | 'dryRun'> {
  /** The change is made only if what it changes has one of these tags now; null: whatever it has. */
  readonly ifMatch?: readonly string[] | null;
}

/** To be asked within the transaction, where nobody else changes anything. Throws `request.outdated`. */
export function requireMatch({ ifMatch }: Terms, etag: string): void {
  if (ifMatch === undefined || ifMatch === null || ifMatch.includes(etag)) return;
  const hint = 'somebody changed it meanwhile, so If-Match does not hold; read it again and decide anew';
  throw new ProblemError(problem('request.outdated', hint, 'if-match'));
}
