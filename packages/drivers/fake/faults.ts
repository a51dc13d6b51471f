/** What a test wants to go wrong. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';

export class Faults {
  /** Everything rejects with `plane.failed`. Set through the driver, which tells its watchers of the return. */
  away = false;
  readonly #failing = new Map<ObjectKey, { left: number; readonly error: Problem }>();

  /** The next `times` steps on this key fail; Infinity until `heal`. */
  fail(key: ObjectKey, times: number, error: Problem = problem('plane.failed', `the fake plane refuses ${key}`)): void {
    this.#failing.set(key, { left: times, error });
  }

  heal(key: ObjectKey): void {
    this.#failing.delete(key);
  }

  /** The error that a step on this key meets now, or null; counts down. */
  take(key: ObjectKey): Problem | null {
    const fault = this.#failing.get(key);
    if (fault === undefined) return null;
    fault.left--;
    if (fault.left <= 0) this.#failing.delete(key);
    return fault.error;
  }
}
