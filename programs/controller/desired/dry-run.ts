/**
 * A change that is only to be looked at. It is made as any other, in its transaction and with all its checks; where it would be
 * written this is thrown instead, so that the database takes everything back and no line behind the change is reached: no answer,
 * event or wake-up. It is no failure: whoever asked for it catches it.
 */
import type { StoredOp } from '../store/intents.ts';
import type { VrouterRow } from '../store/vrouters.ts';

export class DryRun extends Error {
  /** The vrouter as it is. */
  readonly before: Readonly<VrouterRow>;
  /** As it would be; null: it would be gone. */
  readonly after: Readonly<VrouterRow> | null;
  /** In the order of their keys; each changes something. */
  readonly ops: readonly StoredOp[];
  /** Canonical JSON of every intent that there is, by key: a copy, so that others may change what it was taken from. */
  readonly bodies: ReadonlyMap<string, string>;
  /** `peer.create`, as the audit would say it. */
  readonly action: string;

  constructor(
    before: VrouterRow,
    after: VrouterRow | null,
    ops: readonly StoredOp[],
    bodies: ReadonlyMap<string, string>,
    action: string,
  ) {
    super('this change was only to be looked at');
    this.before = { ...before };
    this.after = after;
    this.ops = ops;
    this.bodies = new Map(bodies);
    this.action = action;
  }
}
