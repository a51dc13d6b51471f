/**
 * How far a peer of a rotation is, and what time and pace ask for next. Pure; what each step does to the vrouter is in work.ts.
 *
 *               offer                     the gateway hears the next key
 *   waiting ───────────> offered ───────────────────────────────────────────> switched
 *      │                  │  │ deadline, only the preshared key                   ^
 *      │ cancel    cancel │  └──────┐                        heard all the same   │
 *      v                  v         v                                             │
 *   cancelled <──────── withdrawing ──────────────────────────────────────────────┤
 *                          └──────> lapsed ──────── force ────────────────────────┤
 *   waiting, offered, withdrawing ───── force, or deadline with cutOver ──────────┘
 *   any of them ── peer removed, or its key changed by hand ──> failed
 *
 * What leaves `withdrawing` is said by the gateway alone: it may have heard the next key before it heard that it is taken back.
 */
import type { RotationPeerState } from '@vrouter/api/rest/rotations.ts';

export type EntryState = 'waiting' | 'offered' | 'withdrawing' | 'lapsed' | 'switched' | 'cancelled' | 'failed';

/** A peer of a rotation, as far as its steps go by it. */
export interface Entry {
  readonly state: EntryState;
  readonly offeredUnixMs: number | null;
  readonly publicKey: string;
  readonly nextPublicKey: string;
}

export interface RotationTerms {
  readonly createdUnixMs: number;
  readonly pace: number | null;
  readonly deadlineMs: number;
  readonly atDeadline: 'keep' | 'cutOver';
}

/** What is known of the vrouter's gateway: whether it can have two keys of a peer at a time; `none`: there is no gateway. */
export type Overlap = 'yes' | 'no' | 'unknown' | 'none';

export type Step = 'offer' | 'lapse' | 'cutOver';

export interface Due<E extends Entry> {
  readonly entry: E;
  readonly step: Step;
}

type Terms = Pick<RotationTerms, 'createdUnixMs' | 'deadlineMs'>;
type Timed = Pick<Entry, 'state' | 'offeredUnixMs'>;

/** Unix ms; null: it has not begun. Where there is no overlap nothing is offered, and the time of the rotation itself counts. */
export function deadlineOf(terms: Terms, entry: Timed, overlap: Overlap): number | null {
  if (entry.offeredUnixMs !== null) return entry.offeredUnixMs + terms.deadlineMs;
  return entry.state === 'waiting' && overlap === 'no' ? terms.createdUnixMs + terms.deadlineMs : null;
}

/** Steps that are due, in the order of `entries`; nothing is due twice once its step was made. */
export function due<E extends Entry>(
  terms: RotationTerms,
  entries: readonly E[],
  overlap: Overlap,
  nowUnixMs: number,
): Due<E>[] {
  const steps: Due<E>[] = [];
  let open = 0;
  for (const entry of entries) {
    const late = isLate(terms, entry, overlap, nowUnixMs);
    if (entry.state === 'offered' && !late) open++;
    if (!late) continue;
    if (terms.atDeadline === 'cutOver') steps.push({ entry, step: 'cutOver' });
    // Two preshared keys are never good at a time: the old one is again.
    else if (entry.state === 'offered' && entry.publicKey === entry.nextPublicKey) steps.push({ entry, step: 'lapse' });
  }
  if (overlap !== 'yes') return steps;
  for (const entry of entries) {
    if (terms.pace !== null && open >= terms.pace) break;
    if (entry.state !== 'waiting') continue;
    steps.push({ entry, step: 'offer' });
    open++;
  }
  return steps;
}

/** As people see it. */
export function shownState(terms: Terms, entry: Timed, overlap: Overlap, nowUnixMs: number): RotationPeerState {
  if (entry.state === 'lapsed' || isLate(terms, entry, overlap, nowUnixMs)) return 'straggler';
  return entry.state;
}

/** Of a whole rotation, by what its peers are shown as. */
export function rotationState(states: readonly RotationPeerState[]): 'running' | 'straggling' | 'ended' {
  if (states.some((state) => state === 'waiting' || state === 'offered' || state === 'withdrawing')) return 'running';
  return states.includes('straggler') ? 'straggling' : 'ended';
}

function isLate(terms: Terms, entry: Timed, overlap: Overlap, nowUnixMs: number): boolean {
  if (entry.state !== 'offered' && entry.state !== 'waiting') return false;
  const deadline = deadlineOf(terms, entry, overlap);
  return deadline !== null && nowUnixMs >= deadline;
}
