/** Verbs on peers. */
import type {
  ChangePeerReply,
  CreatePeerReply,
  changePeerRequest,
  createPeerRequest,
  Peer,
  PeerReply,
} from '@vrouter/api/rest/peers.ts';
import { wgQuickText } from '@vrouter/api/wireguard/wg-quick.ts';
import { parseKey } from '@vrouter/core/bytes.ts';
import { parseEndpoint } from '@vrouter/core/endpoint.ts';
import { parseName } from '@vrouter/core/names.ts';
import { formatPrefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { PeerIntent } from '@vrouter/intent/model/intents.ts';
import { specialPrefix } from '@vrouter/intent/validate/special.ts';
import type { z } from 'zod';
import type { Head, HeadView } from '../desired/head.ts';
import { ByHand } from '../rotation/by-hand.ts';
import { notTakenKey } from '../rotation/keys.ts';
import { claim, GATEWAY_OWNER, holderOf, passOn, release, unclaim } from '../store/claims.ts';
import { changePeerRow, deletePeer, insertPeer, type PeerRow, peerByKey, peerByName, peersOf } from '../store/peers.ts';
import { openRotationOf } from '../store/rotations.ts';
import type { Reader, Tx } from '../store/schema.ts';
import { type NetworkRow, networksOf } from '../store/vrouters.ts';
import type { Actor } from './actor.ts';
import { giveBack, takeLowest } from './addresses.ts';
import { must } from './check.ts';
import { type Desk, note } from './desk.ts';
import { cut, mapPage, type Page, type Paged } from './page.ts';
import { describePeer, describePeerGateway, INTERFACE, peerKeyOf, vrfOf } from './status.ts';
import { peerTag } from './tags.ts';
import { requireMatch } from './terms.ts';

/**
 * Adds a peer and gives it the lowest free address of each network. Throws `vrouter.notFound`, `name.invalid`, `key.invalid`,
 * `prefix.invalid`, `address.invalid`, `peer.exists`, `peer.overlap`, `route.exists`, `pool.exhausted`.
 */
export async function createPeer(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: z.output<typeof createPeerRequest>,
): Promise<CreatePeerReply> {
  const name = must(parseName(input.name, 'name'));
  must(parseKey(input.publicKey, 'publicKey'));
  if (input.presharedKey !== null) must(parseKey(input.presharedKey, 'presharedKey'));
  const endpoint = input.endpoint === null ? null : must(parseEndpoint(input.endpoint, 'endpoint')).text;
  const behind = readAllowedIps(input.allowedIps);
  const { publicKey, presharedKey, persistentKeepalive } = input;
  const reply = await desk.desired.answer(vrouter, actor, 'peer.create', async (tx, draft, head) => {
    const vrouterId = head.row.id;
    await notTakenName(tx, vrouterId, name);
    await notTakenKey(tx, desk, vrouterId, publicKey, 'publicKey');
    await notOverlapping(tx, head, behind);
    await claim(tx, vrouterId, name, behind);
    const networks = await networksOf(tx, vrouterId);
    const addresses: string[] = [];
    for (const network of networks) addresses.push(await takeLowest(tx, network, name));
    const allowedIps = [...addresses, ...behind];
    draft.put({
      kind: 'peer',
      interface: INTERFACE,
      publicKey,
      name,
      presharedKey,
      allowedIps,
      endpoint,
      persistentKeepalive,
    });
    const row: PeerRow = {
      vrouterId,
      name,
      publicKey,
      addresses: JSON.stringify(addresses),
      createdUnixMs: desk.unixMs(),
    };
    await insertPeer(tx, row);
    await note(tx, desk, actor, 'peer.create', `${vrouter} ${name}`);
    return (after) => ({ ...replyOf(desk, after, row, networks), version: after.version });
  });
  const text = `peer ${name} was added to ${vrouter}`;
  desk.events.emit({ type: 'peer.added', vrouter, subject: name, version: reply.version, text });
  return reply;
}

/** By name; no more than a page and a row is read at once. Throws `vrouter.notFound`. */
export async function listPeers(desk: Desk, vrouter: string, { limit, after }: Page): Promise<Paged<Peer>> {
  const head = desk.desired.get(vrouter);
  const gateway = desk.roster.of(head.row.id);
  const rows = await peersOf(desk.db, head.row.id, after, limit + 1);
  return mapPage(
    cut(rows, limit, (row) => row.name),
    (row) => describePeer(head, row, gateway),
  );
}

/** By name or public key. Throws `vrouter.notFound`, `peer.notFound`. */
export async function showPeer(desk: Desk, vrouter: string, which: string): Promise<PeerReply> {
  const head = desk.desired.get(vrouter);
  const row = await findPeer(desk.db, head, which);
  return replyOf(desk, head, row, await networksOf(desk.db, head.row.id));
}

/**
 * Changes what is named of a peer; what is left out stays. Sessions of others are not touched. Throws `vrouter.notFound`,
 * `peer.notFound`, `request.outdated`, `name.invalid`, `key.invalid`, `prefix.invalid`, `address.invalid`, `peer.exists`, `peer.overlap`,
 * `route.exists`.
 */
export async function changePeer(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  which: string,
  input: z.output<typeof changePeerRequest>,
): Promise<ChangePeerReply> {
  const name = input.name === undefined ? undefined : must(parseName(input.name, 'name'));
  if (input.publicKey !== undefined) must(parseKey(input.publicKey, 'publicKey'));
  if (typeof input.presharedKey === 'string') must(parseKey(input.presharedKey, 'presharedKey'));
  const endpoint =
    typeof input.endpoint === 'string' ? must(parseEndpoint(input.endpoint, 'endpoint')).text : input.endpoint;
  const behind = input.allowedIps === undefined ? undefined : readAllowedIps(input.allowedIps);
  const { value, version } = await desk.desired.change(vrouter, actor, 'peer.change', async (tx, draft, head) => {
    const found = await findPeer(tx, head, which);
    const key = peerKeyOf(found);
    requireMatch(actor, peerTag(head, found, key));
    const before = head.intent('peer', key)!;
    const byHand = new ByHand(desk, tx, draft, head, actor);
    const row = name === undefined ? found : await rename(tx, found, name);
    if (row !== found) await byHand.renamed(found.publicKey, row.name);
    const addresses = JSON.parse(row.addresses) as string[];
    const allowedIps = behind === undefined ? before.allowedIps : [...new Set([...addresses, ...behind])];
    await moveClaims(tx, head, row.name, before.allowedIps, allowedIps, behind ?? []);
    const { presharedKey = before.presharedKey, persistentKeepalive = before.persistentKeepalive } = input;
    const now: PeerIntent = {
      ...before,
      name: row.name,
      allowedIps,
      presharedKey,
      persistentKeepalive,
      endpoint: endpoint === undefined ? before.endpoint : endpoint,
    };
    draft.put(now);
    if (presharedKey !== before.presharedKey) await byHand.repsked(now);
    const { publicKey = row.publicKey } = input;
    if (publicKey !== row.publicKey) {
      await notTakenKey(tx, desk, head.row.id, publicKey, 'publicKey');
      await byHand.rekeyed(row.name, now, publicKey);
    }
    await note(tx, desk, actor, 'peer.change', `${vrouter} ${row.name}`);
    const effect = effectOf(before, { ...now, publicKey });
    const networks = await networksOf(tx, head.row.id);
    return { row: { ...row, publicKey }, networks, before: head.version, effect, gone: found.publicKey };
  });
  const { row, networks, before, effect, gone } = value;
  if (gone !== row.publicKey) desk.roster.of(row.vrouterId)?.peers.delete(gone);
  if (version !== before) {
    const text = `peer ${row.name} of ${vrouter} was changed`;
    desk.events.emit({ type: 'peer.changed', vrouter, subject: row.name, version, text });
  }
  return { ...replyOf(desk, desk.desired.get(vrouter), row, networks), version, effect };
}

/** As the plan of the gateway will say of the steps it comes to. */
function effectOf(before: PeerIntent, now: PeerIntent): ChangePeerReply['effect'] {
  if (before.publicKey !== now.publicKey) return 'interrupt';
  if (before.allowedIps.some((prefix) => !now.allowedIps.includes(prefix))) return 'interrupt';
  return before.presharedKey === now.presharedKey ? 'none' : 'rehandshake';
}

async function rename(tx: Tx, row: PeerRow, name: string): Promise<PeerRow> {
  if (name === row.name) return row;
  await notTakenName(tx, row.vrouterId, name);
  await changePeerRow(tx, row.vrouterId, row.name, { name });
  await passOn(tx, row.vrouterId, row.name, name);
  return { ...row, name };
}

/** Lets go of the prefixes that the peer has no more, and takes those that it has now. Throws `peer.overlap`, `route.exists`. */
async function moveClaims(
  tx: Tx,
  head: Head,
  owner: string,
  before: readonly string[],
  now: readonly string[],
  asked: readonly string[],
): Promise<void> {
  const vrouterId = head.row.id;
  const gone = before.filter((prefix) => !now.includes(prefix));
  const added = now.filter((prefix) => !before.includes(prefix));
  if (gone.length === 0 && added.length === 0) return;
  await unclaim(tx, vrouterId, owner, gone);
  await notOverlapping(tx, head, asked, added);
  await claim(tx, vrouterId, owner, added);
  for (const network of await networksOf(tx, vrouterId)) await giveBack(tx, network, gone);
}

function replyOf(desk: Desk, view: HeadView, row: PeerRow, networks: readonly NetworkRow[]): PeerReply {
  const gateway = desk.roster.of(view.row.id);
  return { peer: describePeer(view, row, gateway), gateway: describePeerGateway(view, networks, gateway) };
}

/** By name or public key; its addresses are free again. Throws `vrouter.notFound`, `peer.notFound`, `request.outdated`. */
export async function removePeer(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  which: string,
): Promise<{ name: string; version: number }> {
  const { value: row, version } = await desk.desired.change(vrouter, actor, 'peer.delete', async (tx, draft, head) => {
    const found = await findPeer(tx, head, which);
    const key = peerKeyOf(found);
    requireMatch(actor, peerTag(head, found, key));
    draft.remove(key);
    await new ByHand(desk, tx, draft, head, actor).removed(found.publicKey);
    await deletePeer(tx, head.row.id, found.name);
    await release(tx, head.row.id, found.name);
    const freed = head.intent('peer', key)?.allowedIps ?? [];
    for (const network of await networksOf(tx, head.row.id)) await giveBack(tx, network, freed);
    await note(tx, desk, actor, 'peer.delete', `${vrouter} ${found.name}`);
    return found;
  });
  desk.roster.of(row.vrouterId)?.peers.delete(row.publicKey);
  const text = `peer ${row.name} was removed from ${vrouter}`;
  desk.events.emit({ type: 'peer.removed', vrouter, subject: row.name, version, text });
  return { name: row.name, version };
}

/** The same for the next key of a peer in a rotation. Throws `vrouter.notFound`, `peer.notFound`, `rotation.notFound`. */
export async function showPeerNext(desk: Desk, vrouter: string, which: string): Promise<PeerReply> {
  const reply = await showPeer(desk, vrouter, which);
  const entry = await openRotationOf(desk.db, desk.desired.get(vrouter).row.id, reply.peer.publicKey);
  if (entry === undefined)
    throw new ProblemError(problem('rotation.notFound', 'no rotation is giving this peer another key', 'next'));
  const hasPresharedKey = reply.peer.hasPresharedKey || entry.nextPresharedKey !== null;
  return { ...reply, peer: { ...reply.peer, publicKey: entry.nextPublicKey, hasPresharedKey } };
}

/** A wg-quick(8) file for the peer, all but its private key. Most peers are behind a NAT, which forgets them without keepalives. */
export function wgQuick(reply: PeerReply): string {
  return wgQuickText(reply, { privateKey: null, presharedKey: null }, 25);
}

/** By name or public key. Throws `peer.notFound`. */
export async function findPeer(db: Reader, head: Head, which: string): Promise<PeerRow> {
  const row = (await peerByName(db, head.row.id, which)) ?? (await peerByKey(db, head.row.id, which));
  if (row !== undefined) return row;
  const hint = 'there is no peer of that name or public key; list the peers to see which there are';
  throw new ProblemError(problem('peer.notFound', hint, 'peer'));
}

async function notTakenName(tx: Tx, vrouterId: string, name: string): Promise<void> {
  if ((await peerByName(tx, vrouterId, name)) !== undefined)
    throw new ProblemError(problem('peer.exists', `there is a peer "${name}" already; choose another name`, 'name'));
}

/** None of `asked` that is `added` is somebody's. Throws `peer.overlap`, `route.exists`. */
async function notOverlapping(
  tx: Tx,
  head: Head,
  asked: readonly string[],
  added: readonly string[] = asked,
): Promise<void> {
  for (const [i, prefix] of asked.entries()) {
    if (!added.includes(prefix)) continue;
    const holder = await holderOf(tx, head.row.id, prefix);
    if (holder !== null) {
      const whose = holder === GATEWAY_OWNER || holder.includes('/') ? "the gateway's" : `that of peer "${holder}"`;
      const hint = `${prefix} is ${whose} already; leave it out or remove it there`;
      throw new ProblemError(problem('peer.overlap', hint, `allowedIps[${i}]`));
    }
    if (head.bodies.has(`route/${vrfOf(head)}/${prefix}`)) {
      const hint = `there is a route to ${prefix} already; remove it, or leave the prefix out here`;
      throw new ProblemError(problem('route.exists', hint, `allowedIps[${i}]`));
    }
  }
}

/** Canonical, each once; of those that somebody can own. Throws `prefix.invalid`. */
function readAllowedIps(texts: readonly string[]): string[] {
  const prefixes = texts.map((text, i) => {
    const prefix = must(parsePrefix(text, `allowedIps[${i}]`));
    const wrong = specialPrefix(prefix, 'destination', `allowedIps[${i}]`);
    if (wrong !== null) throw new ProblemError(wrong);
    return formatPrefix(prefix);
  });
  return [...new Set(prefixes)];
}
