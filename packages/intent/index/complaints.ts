/** What of an intent did not come to be, and whose fault that is. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { IntentKey, IntentSource } from '../model/intents.ts';
import type { ObjectKey } from '../model/objects.ts';
import { sameValue } from '../model/same.ts';
import type { Entry, Want } from './entry.ts';

/** `intent.reference` and `intent.conflict` mend themselves when the other side changes; nobody else is held back meanwhile. */
export interface IntentProblem {
  readonly source: IntentSource;
  readonly key: IntentKey;
  readonly problem: Problem;
}

/**
 * Problems of one intent. `speaker` is the eldest intent of the same key; `holder` tells who has an object. Who says the same as the
 * holder shares and has no problem.
 */
export function complaintsOf(entry: Entry, speaker: Entry, holder: (key: ObjectKey) => Want): readonly IntentProblem[] {
  const of = (what: Problem): IntentProblem => ({ source: entry.source, key: entry.key, problem: what });
  if (speaker !== entry)
    return sameValue(speaker.intent, entry.intent)
      ? []
      : [
          of(
            problem(
              'intent.conflict',
              `${entry.label} says otherwise than ${speaker.label}, which was said first and holds`,
            ),
          ),
        ];
  const problems = entry.problems.map(of);
  for (const want of entry.wants) {
    const held = holder(want.key);
    if (held.entry !== entry && !sameValue(held.object, want.object))
      problems.push(
        of(
          problem(
            'intent.conflict',
            `${entry.label} and ${held.entry.label} want ${want.key} differently; the latter was said first and holds it`,
          ),
        ),
      );
  }
  return problems;
}
