/**
 * What this door needs of the rest: somewhere to say intents of its own, whole or not at all, and to hear what became of them. `stored.ts`
 * is it over the daemon's store, index and loop; `memory.testing.ts` in memory, for tests.
 */
import type { Problem } from '@vrouter/core/problem.ts';
import type { Intent, IntentKey, IntentSource } from '@vrouter/intent/model/intents.ts';

export const SOURCE: IntentSource = 'router';

/** What clients have said and no plane asks for: it is told again, or says what goes with a VLAN. */
export type Note = {
  /** The VLAN that a client named. */
  readonly vlanId?: number;
  /** As they were written. */
  readonly subnet?: string;
  readonly gateway?: string;
};

export interface Said {
  readonly intent: Intent;
  readonly note: Note;
}

export interface RouterChange {
  readonly put: readonly Said[];
  readonly remove: readonly IntentKey[];
}

/** What is not as it was said. `key` is an object's (`link/eth0.100`), an intent's, or `plane`. */
export interface Trouble {
  readonly key: string;
  readonly problem: Problem;
}

export type Outcome =
  | { readonly kind: 'done' }
  /** Nothing was said or stored. */
  | { readonly kind: 'refused'; readonly problem: Problem }
  /** It is said and stored, but not true. It is tried again until something else is said. */
  | { readonly kind: 'failed'; readonly troubles: readonly Trouble[] }
  /** The same, and the plane has not yet answered; why, where that is known. */
  | { readonly kind: 'late'; readonly why: Problem | null };

/** A link as it is. */
export interface LinkFacts {
  /** `02:00:5e:10:00:01`; null where the plane does not tell. */
  readonly mac: string | null;
  readonly mtu: number;
  readonly isUp: boolean;
}

export interface RouterIntents {
  /** What this door has said, in the order in which it was first said. */
  said(): readonly Said[];
  /**
   * Says and stores all of it, or nothing, before this returns; what is put in a place where something is takes that place. Then waits until the
   * plane has tried what it comes to, also where nothing of it is new, for at most `waitMs`. Rejects only by a bug.
   */
  change(change: RouterChange, waitMs: number): Promise<Outcome>;
  /** By name; those that are not there are left out. What is known when the plane does not answer. */
  links(names: readonly string[]): Promise<ReadonlyMap<string, LinkFacts>>;
  /** All of what this door has said that is not so, and why; at once. */
  troubles(): readonly Trouble[];
}
