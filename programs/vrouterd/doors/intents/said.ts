/**
 * What a door that keeps intents of its own needs of the rest: somewhere to say them, whole or not at all, and to hear what became of them.
 * `stored.ts` is it over the daemon's store, index and loop.
 */
import type { Problem } from '@vrouter/core/problem.ts';
import type { IntentProblem } from '@vrouter/intent/index/complaints.ts';
import { type Intent, type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';

/** An intent with what its door must know of it besides, and no plane asks for. */
export interface SaidWith<N extends object> {
  readonly intent: Intent;
  readonly note: N;
}

export interface ChangeOf<N extends object> {
  readonly put: readonly SaidWith<N>[];
  readonly remove: readonly IntentKey[];
}

/** What is not as it was said. `key` is an object's (`link/eth0.100`), an intent's, or `plane`. */
export interface Trouble {
  readonly key: string;
  readonly problem: Problem;
}

export type Outcome =
  | { readonly kind: 'done' }
  /** Nothing was said or stored. `of`: whose problem it is, if an intent's. */
  | { readonly kind: 'refused'; readonly problem: Problem; readonly of: IntentProblem | null }
  /** It is said and stored, but not true. It is tried again until something else is said. */
  | { readonly kind: 'failed'; readonly troubles: readonly Trouble[] }
  /** The same, and the plane has not yet answered. */
  | { readonly kind: 'late' };

/** A link as it is. */
export interface LinkFacts {
  /** `02:00:5e:10:00:01`; null where the plane does not tell. */
  readonly mac: string | null;
  readonly mtu: number;
  readonly isUp: boolean;
}

export interface SaidIntents<N extends object> {
  /** What this door has said, in the order in which it was first said. */
  said(): readonly SaidWith<N>[];
  /**
   * Says and stores all of it, or nothing, before this returns; what is put in a place where something is takes that place. Then waits until the
   * plane has tried what it comes to, also where nothing of it is new, for at most `waitMs`. What is said again comes to what the host has now (the
   * MTU of a parent). Rejects only by a bug.
   */
  change(change: ChangeOf<N>, waitMs: number): Promise<Outcome>;
  /** By name; those that are not there are left out. What is known when the plane does not answer. */
  links(names: readonly string[]): Promise<ReadonlyMap<string, LinkFacts>>;
  /** Whether all that one of them comes to is true, names left out: where there are none, packets go all the same. */
  stands(key: IntentKey): boolean;
  /** All of what this door has said that is not so, and why; at once. */
  troubles(): readonly Trouble[];
}

/** What leads from after a change to before it; `before` is what was said under a key then. */
export function inverse<N extends object>(
  { put, remove }: ChangeOf<N>,
  before: (key: IntentKey) => SaidWith<N> | undefined,
): ChangeOf<N> {
  const back: SaidWith<N>[] = [];
  const gone: IntentKey[] = [];
  for (const key of [...put.map(({ intent }) => intentKey(intent)), ...remove]) {
    const was = before(key);
    if (was === undefined) gone.push(key);
    else back.push(was);
  }
  return { put: back, remove: gone };
}

/** The trouble that the others follow from, where that shows. */
export function rootOf(troubles: readonly Trouble[]): Trouble {
  return troubles.find(({ problem: { code } }) => code !== 'object.dependency') ?? troubles[0]!;
}
