/** How many peers are still to change their keys: for the metrics, and beside each vrouter. */
import { PEER_SUCCESSOR } from '@vrouter/api/agent/agent.ts';
import type { Rotating } from '@vrouter/api/rest/vrouters.ts';
import type { Desk } from '../desk/desk.ts';
import { openCounts } from '../store/rotations.ts';
import { type Overlap, shownState } from './machine.ts';

export const nobody: Rotating = { waiting: 0, offered: 0, stragglers: 0 };

/** By vrouter, those that have any; of these alone, or of all. */
export async function rotatingOf(
  { db, roster, unixMs }: Pick<Desk, 'db' | 'roster' | 'unixMs'>,
  vrouterIds: readonly string[] | null = null,
): Promise<Map<string, Rotating>> {
  const found = new Map<string, Rotating>();
  const now = unixMs();
  for (const row of await openCounts(db, vrouterIds)) {
    const features = roster.of(row.vrouterId)?.features ?? null;
    const overlap: Overlap = features === null ? 'unknown' : features.includes(PEER_SUCCESSOR) ? 'yes' : 'no';
    const before = found.get(row.vrouterId) ?? nobody;
    const state = shownState(row, row, overlap, now);
    const which = state === 'straggler' ? 'stragglers' : state === 'waiting' ? 'waiting' : 'offered';
    found.set(row.vrouterId, { ...before, [which]: before[which] + row.count });
  }
  return found;
}
