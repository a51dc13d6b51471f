/** What a change would do on the plane, as far as what is known of it now tells. */
import type { ChangePreview } from '@vrouter/api/gateway/intents.ts';
import { type Problem, ProblemError } from '@vrouter/core/problem.ts';
import { diffKeys } from '@vrouter/intent/diff/diff.ts';
import { withDependants } from '@vrouter/intent/diff/replace.ts';
import type { IntentProblem } from '@vrouter/intent/index/complaints.ts';
import type { Desired } from '@vrouter/intent/index/desired.ts';
import { intentKey } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { stepText } from '@vrouter/intent/preview/words.ts';
import type { ChangeOf, SaidWith } from '../../intents/said.ts';
import { newProblem } from '../../intents/stored.ts';
import { SOURCE } from './known.ts';

/** The steps of the change alone. Throws ProblemError as the change would be refused. */
export function stepsOf(
  desired: Desired,
  observed: ReadonlyMap<ObjectKey, Observed>,
  { put, remove }: ChangeOf<object>,
): readonly Step[] {
  const copy = desired.copy();
  const wrong = newProblem(copy, () => {
    for (const key of remove) copy.remove(SOURCE, key);
    for (const { intent } of put) copy.put(SOURCE, intent);
  });
  // What only goes is refused for nothing: others that waited for it or lose it tell of it later.
  if (wrong !== null && put.length > 0) throw new ProblemError(atPlace(wrong, put));
  const differences = diffKeys(
    copy.takeDirty(),
    (key) => copy.desired(key),
    (key) => observed.get(key),
  );
  return plan(withDependants(differences, copy.all(), observed.values()));
}

/** The problem with the place in the request that it is about, if that is there. */
export function atPlace({ source, key, problem }: IntentProblem, put: readonly SaidWith<object>[]): Problem {
  const index = source === SOURCE ? put.findIndex(({ intent }) => intentKey(intent) === key) : -1;
  if (index < 0) return problem;
  return { ...problem, field: `put[${index}]${problem.field === undefined ? '' : `.${problem.field}`}` };
}

export function stepRows(steps: readonly Step[]): Pick<ChangePreview, 'steps' | 'effect'> {
  const effects = steps.map(({ effect }) => effect);
  return {
    steps: steps.map((step) => ({
      op: step.op,
      key: step.key,
      changed: step.op === 'update' ? [...step.changed] : [],
      effect: step.effect,
      text: stepText(step, () => null),
    })),
    effect: (['interrupt', 'rehandshake'] as const).find((effect) => effects.includes(effect)) ?? 'none',
  };
}
