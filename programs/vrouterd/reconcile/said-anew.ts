/** Steps that no difference asks for: a field that is the plane's own once an object exists, said anew by somebody's explicit word. */
import type { ObjectKey, Observed, PlaneObject } from '@vrouter/intent/model/objects.ts';
import { updateEffect } from '@vrouter/intent/plan/effects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';

/** The plan with those fields in it: in the update of their object where there is one, else in one of their own at the end. */
export function withSaidAnew(
  steps: readonly Step[],
  anew: ReadonlyMap<ObjectKey, string>,
  desired: (key: ObjectKey) => PlaneObject | undefined,
  observed: ReadonlyMap<ObjectKey, Observed>,
): readonly Step[] {
  if (anew.size === 0) return steps;
  const left = new Map(anew);
  const all = steps.map((step): Step => {
    const field = left.get(step.key);
    if (field === undefined) return step;
    left.delete(step.key);
    // A created object is given all of its fields anyway, and one that goes needs none.
    return step.op === 'update' ? { ...step, changed: [...step.changed, field] } : step;
  });
  for (const [key, field] of left) {
    const object = desired(key);
    const before = observed.get(key)?.object;
    if (object === undefined || before === undefined) continue;
    const changed = [field];
    all.push({ op: 'update', key, object, before, changed, effect: updateEffect(before, object, changed) });
  }
  return all;
}
