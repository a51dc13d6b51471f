/** What passed through a vrouter, or to and from one of its peers. */
import type { HistoryReply } from '@vrouter/api/rest/history.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { WHOLE } from '../history/history.ts';
import { MOST_POINTS, peerTiers, stepStart, tierFor, totalTiers } from '../history/tiers.ts';
import { samplesOf } from '../store/history.ts';
import type { Desk } from './desk.ts';
import { findPeer } from './peers.ts';

const DEFAULT_MS = 3_600_000;

export interface HistoryWish {
  readonly peer?: string | undefined;
  readonly fromUnixMs?: number | undefined;
  readonly untilUnixMs?: number | undefined;
}

/** Throws `vrouter.notFound`, `peer.notFound`, `input.invalid`. */
export async function showHistory(desk: Desk, vrouter: string, wish: HistoryWish): Promise<HistoryReply> {
  const head = desk.desired.get(vrouter);
  const peer = wish.peer === undefined ? null : await findPeer(desk.db, head, wish.peer);
  const now = desk.unixMs();
  const until = Math.min(wish.untilUnixMs ?? now, now);
  const from = wish.fromUnixMs ?? Math.max(0, until - DEFAULT_MS);
  if (from >= until) {
    const hint = 'there is no time between fromUnixMs and untilUnixMs, or it is in the future; turn them round';
    throw new ProblemError(problem('input.invalid', hint, 'fromUnixMs'));
  }
  const { stepMs } = tierFor(peer === null ? totalTiers : peerTiers, from, until, now);
  const fromUnixMs = stepStart(from, stepMs);
  const series = peer?.publicKey ?? WHOLE;
  const points = await samplesOf(
    desk.db,
    { vrouterId: head.row.id, series, stepMs },
    fromUnixMs,
    until,
    MOST_POINTS + 2,
  );
  return { vrouter: head.row.name, peer: peer?.name ?? null, stepMs, fromUnixMs, untilUnixMs: until, points };
}
