/**
 * The contract between what should be and what is: every plane is one of these, and all pass `suite.ts`. A driver knows objects and
 * never intents; it reads the world back instead of remembering it; applying a batch twice changes nothing the second time.
 */
import type { Problem } from '@vrouter/core/problem.ts';
import type { LinkType, ObjectKey, ObjectKind, Observed } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';

export interface Capabilities {
  /** Name of the plane: `fake`, `userspace`, `linux`, `vpp`. */
  readonly plane: string;
  /** Kinds that the plane can hold. A step of another kind fails with `intent.unsupported`. */
  readonly kinds: readonly ObjectKind[];
  /**
   * Types of links that the plane can hold; another fails with `intent.unsupported`. Whether this machine allows it (a TUN link needs
   * privileges) shows when it is tried: `port.denied`.
   */
  readonly linkTypes: readonly LinkType[];
  /**
   * Whether a WireGuard peer without allowed IPs shakes hands, so that another key can be waited for beside the present one; left out: no.
   */
  readonly keyOverlap?: boolean;
  /** Objects that always exist and are never created or deleted (the VRF `default`). */
  readonly builtIn: readonly ObjectKey[];
}

/** What is now true of one key. `now` is null when the object does not exist. A failed step also tells what is true. */
export type Applied =
  | { readonly key: ObjectKey; readonly ok: true; readonly now: Observed | null }
  | { readonly key: ObjectKey; readonly ok: false; readonly now: Observed | null; readonly error: Problem };

/**
 * Something changed without being asked by us: look again at these keys, or at all (a plane that restarted). `below`: something that we asked
 * for may have taken along objects of these kinds that stand on this one.
 */
export type Change =
  | { readonly kind: 'keys'; readonly keys: readonly ObjectKey[] }
  | { readonly kind: 'below'; readonly key: ObjectKey; readonly kinds: readonly ObjectKind[] }
  | { readonly kind: 'all'; readonly reason: string };

export interface Driver {
  capabilities(): Capabilities;
  /**
   * What the plane has of ours: objects canonical, secrets as fingerprints. For given keys: those of them that exist. Rejects with
   * ProblemError when the plane is away.
   */
  observe(scope: 'all' | readonly ObjectKey[], signal: AbortSignal): Promise<readonly Observed[]>;
  /**
   * Does the steps in order, one result per step in the same order. `create` and `update` both mean: make it so, but leave `initial`
   * fields of what exists as they are, except those that an update names in `changed` (a diff never does; a person may); `delete` of what is absent has succeeded. A failed step leaves its object as it was. One bad
   * step does not hold back the others, except those that depend on it, which fail with `object.dependency`. When the signal aborts,
   * steps not yet begun fail with `timeout`. Rejects only when the plane is away; then the caller observes anew.
   */
  apply(batch: readonly Step[], signal: AbortSignal): Promise<readonly Applied[]>;
  /** Changes made by others, until the signal aborts. A plane that comes back after an absence says `all`. */
  watch(signal: AbortSignal): AsyncIterable<Change>;
}
