/** What every verb of the desk works with. */
import type { Roster } from '../agents/roster.ts';
import type { Desired } from '../desired/desired.ts';
import type { EventBus } from '../events/bus.ts';
import { writeAudit } from '../store/audit.ts';
import type { Db, Tx } from '../store/schema.ts';
import type { Actor } from './actor.ts';

export interface Desk {
  readonly db: Db;
  readonly desired: Desired;
  readonly roster: Roster;
  readonly events: EventBus;
  readonly unixMs: () => number;
  /** `https://host:port` of all controllers, as join strings name them: this one first. */
  readonly agentsUrls: () => readonly string[];
  readonly rootFingerprint: string;
}

/** Notes in the transaction of a change that it was done. */
export async function note(
  tx: Tx,
  desk: Pick<Desk, 'unixMs'>,
  actor: Actor,
  action: string,
  subject: string,
): Promise<void> {
  await writeAudit(tx, {
    atUnixMs: desk.unixMs(),
    actor: actor.name,
    tokenId: actor.tokenId,
    source: actor.source,
    action,
    subject,
    outcome: 'done',
    reason: null,
  });
}
