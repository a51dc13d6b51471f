/** Which steps of a plan must come before a step: its object's parents, its object's children when it goes, and whoever frees what it takes. */
import type { ObjectKey, PlaneObject } from '../model/objects.ts';
import { occupiedBy, parentsOf } from '../model/relations.ts';
import type { Step } from './step.ts';

export class Needs {
  readonly #creates = new Map<ObjectKey, Step>();
  readonly #deletes = new Map<ObjectKey, Step>();
  /** Steps that stop standing on an object, by that object's key. */
  readonly #leaving = new Map<ObjectKey, Step[]>();
  /** The step that frees a resource. */
  readonly #frees = new Map<string, Step>();

  constructor(steps: readonly Step[]) {
    for (const step of steps) {
      if (step.op === 'create') this.#creates.set(step.key, step);
      if (step.op === 'delete') this.#deletes.set(step.key, step);
      for (const parent of less(beforeOf(step), afterOf(step), parentsOf)) {
        const list = this.#leaving.get(parent);
        if (list === undefined) this.#leaving.set(parent, [step]);
        else list.push(step);
      }
      for (const resource of less(beforeOf(step), afterOf(step), occupiedBy)) this.#frees.set(resource, step);
    }
  }

  /** The steps that must come before this one. */
  of(step: Step): readonly Step[] {
    const found: Step[] = [];
    if (step.op === 'delete') found.push(...(this.#leaving.get(step.key) ?? []));
    else {
      if (step.op === 'create') add(found, this.#deletes.get(step.key));
      for (const parent of parentsOf(step.object)) add(found, this.#creates.get(parent));
      for (const resource of less(afterOf(step), beforeOf(step), occupiedBy)) add(found, this.#frees.get(resource));
    }
    return found.filter((other) => other !== step);
  }

  /** 0: has nothing to do with others; 1: takes what another step frees; 2: only frees, and is called when it is needed. */
  handover(step: Step): number {
    const taken = less(afterOf(step), beforeOf(step), occupiedBy);
    if (taken.some((resource) => this.#frees.has(resource))) return 1;
    return less(beforeOf(step), afterOf(step), occupiedBy).length > 0 ? 2 : 0;
  }
}

const beforeOf = (step: Step): PlaneObject | null => (step.op === 'create' ? null : step.before);
const afterOf = (step: Step): PlaneObject | null => (step.op === 'delete' ? null : step.object);

/** What `of` tells of one object and not of the other. */
function less<T>(
  from: PlaneObject | null,
  without: PlaneObject | null,
  of: (object: PlaneObject) => readonly T[],
): readonly T[] {
  if (from === null) return [];
  const all = of(from);
  if (without === null || all.length === 0) return all;
  const taken = new Set(of(without));
  return all.filter((one) => !taken.has(one));
}

function add(list: Step[], step: Step | undefined): void {
  if (step !== undefined) list.push(step);
}
