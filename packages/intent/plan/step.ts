/** Steps: what a plan is made of. Frozen data, so that a plan can be printed, compared and sent; drivers do what they say. */
import type { ObjectKey, PlaneObject } from '../model/objects.ts';

/** What a step does to traffic that is flowing: nothing, one handshake, or a gap. */
export type Effect = 'none' | 'rehandshake' | 'interrupt';

export type Step =
  | { readonly op: 'create'; readonly key: ObjectKey; readonly object: PlaneObject; readonly effect: Effect }
  | {
      readonly op: 'update';
      readonly key: ObjectKey;
      readonly object: PlaneObject;
      readonly before: PlaneObject;
      /** Names of the fields that differ; never empty. */
      readonly changed: readonly string[];
      readonly effect: Effect;
    }
  | { readonly op: 'delete'; readonly key: ObjectKey; readonly before: PlaneObject; readonly effect: Effect };
