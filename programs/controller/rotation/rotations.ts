/** Verbs on rotations: start, list, show, cancel, force. */
import { randomBytes } from 'node:crypto';
import type {
  ChangeRotationReply,
  Rotation,
  RotationPeer,
  RotationPeerState,
  RotationReply,
  RotationWithPeers,
  rotationPeersRequest,
  startRotationRequest,
} from '@vrouter/api/rest/rotations.ts';
import { parseKey } from '@vrouter/core/bytes.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { z } from 'zod';
import type { Head, HeadView } from '../desired/head.ts';
import type { Actor } from '../desk/actor.ts';
import { must } from '../desk/check.ts';
import { type Desk, note } from '../desk/desk.ts';
import { cut, type Page, type Paged } from '../desk/page.ts';
import { findPeer } from '../desk/peers.ts';
import {
  insertRotation,
  openRotationOf,
  type RotationPeerRow,
  type RotationRow,
  rotationById,
  rotationCounts,
  rotationPeersOf,
  rotationsOf,
} from '../store/rotations.ts';
import type { Reader, Tx } from '../store/schema.ts';
import { notTakenKey } from './keys.ts';
import { deadlineOf, type Overlap, rotationState, shownState } from './machine.ts';
import { overlapOf, tellSwitched, Work } from './work.ts';

type StartRequest = z.output<typeof startRotationRequest>;
type PeersRequest = z.output<typeof rotationPeersRequest>;

/**
 * Begins to give peers other keys. Throws `vrouter.notFound`, `peer.notFound`, `key.invalid`, `input.invalid`, `peer.exists`,
 * `rotation.open`.
 */
export async function startRotation(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: StartRequest,
): Promise<ChangeRotationReply> {
  const { what, pace, deadlineSeconds, atDeadline } = input;
  const id = newId(desk.unixMs());
  let began: string[] = [];
  const reply = await desk.desired.answer(vrouter, actor, 'rotation.start', async (tx, draft, head) => {
    const vrouterId = head.row.id;
    const peers = await readPeers(tx, desk, head, id, input);
    began = peers.map(({ peer }) => peer);
    const createdUnixMs = desk.unixMs();
    const deadlineMs = deadlineSeconds * 1000;
    const row = { id, vrouterId, what, pace, deadlineMs, atDeadline, startedBy: actor.name, createdUnixMs };
    await insertRotation(tx, row, peers);
    await note(tx, desk, actor, 'rotation.start', `${vrouter} ${id}`);
    await new Work(desk, tx, draft, head, actor).advance(row);
    return await describing(tx, desk, head, row);
  });
  const text = `other keys for ${began.length} peers of ${vrouter} (${id})`;
  desk.events.emit({ type: 'rotation.started', vrouter, subject: id, version: reply.version, text });
  return reply;
}

async function readPeers(
  tx: Tx,
  desk: Desk,
  head: Head,
  rotationId: string,
  { what, peers }: StartRequest,
): Promise<RotationPeerRow[]> {
  const vrouterId = head.row.id;
  const rows: RotationPeerRow[] = [];
  const named = new Set<string>();
  for (const [ordinal, asked] of peers.entries()) {
    const at = (field: string): string => `peers[${ordinal}].${field}`;
    const peer = await findPeer(tx, head, asked.peer);
    const nextPublicKey = readKey(asked.publicKey, what !== 'psk', at('publicKey')) ?? peer.publicKey;
    const nextPresharedKey = readKey(asked.presharedKey, what !== 'key', at('presharedKey'));
    for (const key of new Set([peer.publicKey, nextPublicKey])) {
      if (named.has(key)) throw wrong('input.invalid', 'this key is in another row of the request too', at('peer'));
      named.add(key);
    }
    if ((await openRotationOf(tx, vrouterId, peer.publicKey)) !== undefined)
      throw wrong('rotation.open', `"${peer.name}" is in another rotation; cancel or force it there first`, at('peer'));
    if (what !== 'psk') await notTakenKey(tx, desk, vrouterId, nextPublicKey, at('publicKey'));
    rows.push({
      rotationId,
      ordinal,
      vrouterId,
      peer: peer.name,
      publicKey: peer.publicKey,
      nextPublicKey,
      nextPresharedKey,
      state: 'waiting',
      offeredUnixMs: null,
      endedUnixMs: null,
      withdrawnVersion: null,
      endsAs: null,
      forced: 0,
      reason: null,
    });
  }
  return rows;
}

function readKey(text: string | undefined, wanted: boolean, field: string): string | null {
  if (wanted && text === undefined)
    throw wrong('input.invalid', 'this rotation needs the next one of each peer', field);
  if (!wanted && text !== undefined) throw wrong('input.invalid', 'this rotation leaves it as it is', field);
  if (text === undefined) return null;
  must(parseKey(text, field));
  return text;
}

/** In the order of their beginning. Throws `vrouter.notFound`. */
export async function listRotations(desk: Desk, vrouter: string, { limit, after }: Page): Promise<Paged<Rotation>> {
  const head = desk.desired.get(vrouter);
  const page = cut(await rotationsOf(desk.db, head.row.id, after, limit + 1), limit, (row) => row.id);
  const counted = await rotationCounts(
    desk.db,
    page.rows.map((row) => row.id),
  );
  const byRotation = Map.groupBy(counted, (count) => count.rotationId);
  const overlap = await overlapOf(desk.db, desk, head.row.id);
  const now = desk.unixMs();
  const rows = page.rows.map((row) => {
    const groups = byRotation.get(row.id) ?? [];
    return summary(
      head,
      row,
      groups.map((group) => [shownState(row, group, overlap, now), group.count]),
    );
  });
  return { rows, next: page.next };
}

/** Throws `vrouter.notFound`, `rotation.notFound`. */
export async function showRotation(desk: Desk, vrouter: string, id: string): Promise<RotationReply> {
  const head = desk.desired.get(vrouter);
  const row = await findRotation(desk.db, head.row.id, id);
  const overlap = await overlapOf(desk.db, desk, head.row.id);
  return { rotation: describe(head, row, await rotationPeersOf(desk.db, [id]), overlap, desk.unixMs()) };
}

/** Peers that have not changed keep their old keys. Throws `vrouter.notFound`, `rotation.notFound`, `peer.notFound`. */
export async function cancelRotation(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  id: string,
  { peers }: PeersRequest,
): Promise<ChangeRotationReply> {
  return onPeers(desk, actor, vrouter, id, peers ?? null, 'cancel', async (work, entry) => {
    if (entry.state !== 'withdrawing') await work.withdraw(entry, 'cancelled');
  });
}

/** Ends the old keys of those that have not changed: what they send is lost until they have. Throws as `cancelRotation`. */
export async function forceRotation(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  id: string,
  { peers }: PeersRequest,
): Promise<ChangeRotationReply> {
  return onPeers(desk, actor, vrouter, id, peers ?? null, 'force', (work, entry) => work.promote(entry, true));
}

async function onPeers(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  id: string,
  named: readonly string[] | null,
  action: 'cancel' | 'force',
  act: (work: Work, entry: RotationPeerRow) => Promise<void>,
): Promise<ChangeRotationReply> {
  const { value, version } = await desk.desired.change(
    vrouter,
    actor,
    `rotation.${action}`,
    async (tx, draft, head) => {
      const row = await findRotation(tx, head.row.id, id);
      const entries = chosen(await rotationPeersOf(tx, [id]), named).filter(isOpen);
      const work = new Work(desk, tx, draft, head, actor);
      for (const entry of entries) await act(work, entry);
      await work.advance(row);
      if (entries.length > 0) await note(tx, desk, actor, `rotation.${action}`, `${vrouter} ${id}`);
      return { switched: work.switched, count: entries.length };
    },
  );
  tellSwitched(desk, vrouter, value.switched, version);
  if (value.count > 0) {
    const [type, how] =
      action === 'cancel' ? (['rotation.cancelled', 'cancelled'] as const) : (['rotation.forced', 'forced'] as const);
    const text = `the rotation ${id} of ${vrouter} was ${how} for ${value.count} peers`;
    desk.events.emit({ type, vrouter, subject: id, version, text });
  }
  return { ...(await showRotation(desk, vrouter, id)), version };
}

function isOpen({ state }: RotationPeerRow): boolean {
  return state === 'waiting' || state === 'offered' || state === 'withdrawing' || state === 'lapsed';
}

function chosen(entries: readonly RotationPeerRow[], named: readonly string[] | null): readonly RotationPeerRow[] {
  if (named === null) return entries;
  return named.map((name, i) => {
    const found = entries.find(
      ({ peer, publicKey, nextPublicKey }) => peer === name || publicKey === name || nextPublicKey === name,
    );
    if (found === undefined) throw wrong('peer.notFound', 'this peer is not in the rotation', `peers[${i}]`);
    return found;
  });
}

async function findRotation(db: Reader, vrouterId: string, id: string): Promise<RotationRow> {
  const row = await rotationById(db, vrouterId, id);
  if (row === undefined) throw wrong('rotation.notFound', 'this vrouter has no rotation of that id', 'id');
  return row;
}

/** As an answer is made of the state after a change. */
async function describing(
  tx: Tx,
  desk: Desk,
  head: Head,
  row: RotationRow,
): Promise<(after: HeadView) => ChangeRotationReply> {
  const peers = await rotationPeersOf(tx, [row.id]);
  const overlap = await overlapOf(tx, desk, head.row.id);
  return (after) => ({ rotation: describe(after, row, peers, overlap, desk.unixMs()), version: after.version });
}

function describe(
  head: HeadView,
  row: RotationRow,
  entries: readonly RotationPeerRow[],
  overlap: Overlap,
  nowUnixMs: number,
): RotationWithPeers {
  const peers = entries.map((entry): RotationPeer => {
    const state = shownState(row, entry, overlap, nowUnixMs);
    const isSwitched = entry.state === 'switched';
    const { peer, publicKey, nextPublicKey, offeredUnixMs, forced } = entry;
    return {
      peer,
      publicKey,
      nextPublicKey,
      state,
      offeredUnixMs,
      deadlineUnixMs: deadlineOf(row, entry, overlap),
      switchedUnixMs: isSwitched ? entry.endedUnixMs : null,
      effect: isSwitched ? (forced === 1 ? 'interrupt' : 'none') : null,
      reason: entry.reason ?? (entry.state === 'waiting' ? whyWaiting[overlap] : null),
    };
  });
  const states = peers.map(({ state }) => [state, 1] as const);
  return { ...summary(head, row, states), peers };
}

/** `states`: how many peers are shown so. */
function summary(
  head: HeadView,
  row: RotationRow,
  states: readonly (readonly [RotationPeerState, number])[],
): Rotation {
  const counts: Rotation['counts'] = {
    waiting: 0,
    offered: 0,
    switched: 0,
    straggler: 0,
    withdrawing: 0,
    cancelled: 0,
    failed: 0,
  };
  for (const [state, count] of states) counts[state] += count;
  const { id, what, pace, deadlineMs, atDeadline, startedBy, createdUnixMs } = row;
  const state = rotationState(states.map(([one]) => one));
  const terms = { what, state, pace, deadlineSeconds: deadlineMs / 1000, atDeadline, startedBy, createdUnixMs };
  return { id, vrouter: head.row.name, ...terms, counts };
}

const whyWaiting: { readonly [O in Overlap]: string | null } = {
  yes: null,
  no: 'its gateway cannot have two keys of a peer at a time; update vrouterd, or change the device and force it, which interrupts',
  unknown: 'its gateway has not been heard yet',
  none: 'no gateway has joined',
};

/** Sorts by its beginning. */
function newId(nowUnixMs: number): string {
  return `r${Math.floor(nowUnixMs / 1000)
    .toString(36)
    .padStart(7, '0')}${randomBytes(3).toString('hex')}`;
}

function wrong(code: Parameters<typeof problem>[0], message: string, field: string): ProblemError {
  return new ProblemError(problem(code, message, field));
}
