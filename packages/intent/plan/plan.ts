/**
 * Differences into ordered steps. The order of the whole:
 *   1. revocations: peers that should be gone wait for nothing
 *   2. creates and updates by rank, then key; in each rank those that hand something over come last
 *   3. deletes by reverse rank, then key
 * and within it a step is preceded by what it needs (`needs.ts`), moved forward from its own place. So traffic moves to the new before
 * the old goes, except where a plane cannot have both: there the old goes right before the new comes.
 */
import type { Difference } from '../diff/diff.ts';
import { objectKinds } from '../model/objects.ts';
import { CREATE_EFFECT, DELETE_EFFECT, updateEffect } from './effects.ts';
import { Needs } from './needs.ts';
import type { Step } from './step.ts';
import { vacate } from './vacate.ts';

/** Ordered, frozen steps; the same for the same differences in whatever order they come. Cost follows the number of differences. */
export function plan(differences: readonly Difference[]): readonly Step[] {
  const sorted = [...differences].sort((a, b) => (a.key < b.key ? -1 : 1));
  const revocations: Step[] = [];
  const makes: Step[] = [];
  const deletes: Step[] = [];
  for (const difference of sorted) {
    switch (difference.kind) {
      case 'missing':
        makes.push({ op: 'create', key: difference.key, object: difference.desired, effect: CREATE_EFFECT });
        break;
      case 'extra': {
        const step: Step = { op: 'delete', key: difference.key, before: difference.observed, effect: DELETE_EFFECT };
        (difference.observed.kind === 'wireguardPeer' ? revocations : deletes).push(step);
        break;
      }
      case 'changed': {
        const { key, desired: object, observed: before, fields: changed } = difference;
        if (difference.replace) {
          deletes.push({ op: 'delete', key, before, effect: DELETE_EFFECT });
          makes.push({ op: 'create', key, object, effect: CREATE_EFFECT });
        } else {
          makes.push({ op: 'update', key, object, before, changed, effect: updateEffect(before, object, changed) });
        }
      }
    }
  }
  // Sorting is stable, so keys stay in order within a rank.
  deletes.sort((a, b) => rankOf(b) - rankOf(a));
  const needs = new Needs([...revocations, ...makes, ...deletes]);
  makes.sort((a, b) => rankOf(a) - rankOf(b) || needs.handover(a) - needs.handover(b));
  return Object.freeze(inOrder([...revocations, ...makes, ...deletes], needs).map((step) => Object.freeze(step)));
}

const rankOf = (step: Step): number => objectKinds[step.op === 'delete' ? step.before.kind : step.object.kind].rank;

/** Depth first through what each step needs. An own stack: a chain of handovers may be as long as the plan. */
function inOrder(steps: readonly Step[], needs: Needs): Step[] {
  const order: Step[] = [];
  const state = new Map<Step, 'open' | 'done'>();
  /** What is left of an update whose place had to be vacated first. */
  const remainders = new Map<Step, Step>();
  for (const root of steps) {
    if (state.has(root)) continue;
    const stack = [{ step: root, needs: needs.of(root), at: 0 }];
    state.set(root, 'open');
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const need = top.needs[top.at++];
      if (need === undefined) {
        order.push(remainders.get(top.step) ?? top.step);
        state.set(top.step, 'done');
        stack.pop();
      } else if (!state.has(need)) {
        state.set(need, 'open');
        stack.push({ step: need, needs: needs.of(need), at: 0 });
      } else if (state.get(need) === 'open' && !remainders.has(need)) {
        // A circle: two that swap. One of them lets go first and takes later.
        const split = vacate(need);
        if (split === null) continue;
        order.push(split.first);
        remainders.set(need, split.rest);
      }
    }
  }
  return order;
}
