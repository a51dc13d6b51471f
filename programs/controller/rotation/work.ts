/**
 * What the steps of a rotation do to a vrouter, all within the transaction of one change: intents, rows of the peers, history, audit. Each
 * looks at what is there now, so a step that another controller has made already, or whose peer is gone, does nothing twice.
 */
import { PEER_SUCCESSOR } from '@vrouter/api/agent/agent.ts';
import { type PeerIntent, type PeerSuccessorIntent, successorKey } from '@vrouter/intent/model/intents.ts';
import type { Draft } from '../desired/draft.ts';
import type { Head } from '../desired/head.ts';
import type { Actor } from '../desk/actor.ts';
import { type Desk, note } from '../desk/desk.ts';
import { INTERFACE, peerKeyOf } from '../desk/status.ts';
import { activeGatewayOf } from '../store/gateways.ts';
import { moveSeries } from '../store/history.ts';
import { changePeerRow, peerByKey } from '../store/peers.ts';
import {
  changeRotationPeer,
  type RotationPeerFields,
  type RotationPeerRow,
  type RotationRow,
  rotationPeersOf,
} from '../store/rotations.ts';
import type { Reader, Tx } from '../store/schema.ts';
import { due, type Overlap } from './machine.ts';

/** Who makes the steps that nobody asked for at that moment. */
export const OF_THE_JOB: Actor = { name: 'controller', tokenId: null, source: null };

/** A peer that has changed: what is told once it is committed. */
export interface Switched {
  readonly vrouterId: string;
  readonly peer: string;
  readonly oldPublicKey: string;
  readonly publicKey: string;
  readonly forced: boolean;
}

/** Whether the vrouter's gateway can have two keys of a peer. The store knows best whether there is a gateway at all. */
export async function overlapOf(db: Reader, desk: Pick<Desk, 'roster'>, vrouterId: string): Promise<Overlap> {
  const row = await activeGatewayOf(db, vrouterId);
  if (row === undefined) return 'none';
  const gateway = desk.roster.of(vrouterId);
  const features = gateway?.id === row.id ? gateway.features : null;
  if (features === null) return 'unknown';
  return features.includes(PEER_SUCCESSOR) ? 'yes' : 'no';
}

export class Work {
  readonly switched: Switched[] = [];
  readonly #desk: Desk;
  readonly #tx: Tx;
  readonly #draft: Draft;
  readonly #head: Head;
  readonly #actor: Actor;

  constructor(desk: Desk, tx: Tx, draft: Draft, head: Head, actor: Actor) {
    this.#desk = desk;
    this.#tx = tx;
    this.#draft = draft;
    this.#head = head;
    this.#actor = actor;
  }

  /** Makes what time and pace ask for. */
  async advance(rotation: RotationRow): Promise<void> {
    const overlap = await overlapOf(this.#tx, this.#desk, this.#head.row.id);
    // An offer that fails makes room for the next one, hence the rounds.
    for (let rounds = 0; rounds < 2; rounds++) {
      const peers = await rotationPeersOf(this.#tx, [rotation.id]);
      if (overlap === 'none') for (const peer of peers) if (peer.state === 'withdrawing') await this.settle(peer);
      const steps = due(rotation, peers, overlap, this.#desk.unixMs());
      if (steps.length === 0) return;
      for (const { entry, step } of steps) {
        if (step === 'offer') await this.#offer(entry);
        else if (step === 'lapse') await this.withdraw(entry, 'lapsed');
        else await this.promote(entry, true);
      }
    }
  }

  async #offer(entry: RotationPeerRow): Promise<void> {
    const before = this.#peer(entry);
    if (before === null) return this.fail(entry, 'the peer was removed');
    this.#draft.put(this.#successor(entry, before, true));
    await this.#set(entry, { state: 'offered', offeredUnixMs: this.#desk.unixMs() });
  }

  /** The peer's preshared key is another now: a next key that was to keep it keeps this one. */
  follow(entry: RotationPeerRow, peer: PeerIntent): void {
    if (entry.state === 'offered' || entry.state === 'withdrawing')
      this.#draft.put(this.#successor(entry, peer, entry.state === 'offered'));
  }

  #successor(entry: RotationPeerRow, before: PeerIntent, open: boolean): PeerSuccessorIntent {
    const { publicKey, nextPublicKey, rotationId: rotation } = entry;
    const presharedKey = entry.nextPresharedKey ?? before.presharedKey;
    return { kind: 'peerSuccessor', interface: INTERFACE, publicKey, nextPublicKey, presharedKey, rotation, open };
  }

  /** Takes the next key back. Where the gateway may have heard it already, that is for the gateway to say. */
  async withdraw(entry: RotationPeerRow, endsAs: 'cancelled' | 'lapsed'): Promise<void> {
    const said = this.#head.intent('peerSuccessor', successorKey(INTERFACE, entry.publicKey));
    if (said === null) return this.#end(entry, endsAs, null);
    this.#draft.put({ ...said, open: false });
    await this.#set(entry, { state: 'withdrawing', endsAs, withdrawnVersion: this.#head.version + 1 });
  }

  /** The gateway has not heard the next key, and will not any more. */
  async settle(entry: RotationPeerRow): Promise<void> {
    this.#draft.remove(successorKey(INTERFACE, entry.publicKey));
    await this.#end(entry, entry.endsAs ?? 'cancelled', null);
  }

  /** The next key is the peer's own from now on. */
  async promote(entry: RotationPeerRow, forced: boolean): Promise<void> {
    const { publicKey, nextPublicKey, vrouterId } = entry;
    const before = this.#peer(entry);
    const row = await peerByKey(this.#tx, vrouterId, publicKey);
    if (before === null || row === undefined) return this.fail(entry, 'the peer was removed');
    const presharedKey = entry.nextPresharedKey ?? before.presharedKey;
    this.#draft.remove(successorKey(INTERFACE, publicKey));
    if (publicKey !== nextPublicKey) await this.rekey(row.name, before, nextPublicKey, presharedKey);
    else this.#draft.put({ ...before, presharedKey });
    await this.#set(entry, { ...ended(this.#desk.unixMs()), state: 'switched', forced: forced ? 1 : 0 });
    await note(this.#tx, this.#desk, this.#actor, forced ? 'peer.cutOver' : 'peer.rotate', this.#subject(row.name));
    this.switched.push({ vrouterId, peer: row.name, oldPublicKey: publicKey, publicKey: nextPublicKey, forced });
  }

  /** The peer has another key: its intent, its row and what has passed go along. */
  async rekey(name: string, before: PeerIntent, publicKey: string, presharedKey: string | null): Promise<void> {
    const vrouterId = this.#head.row.id;
    this.#draft.remove(peerKeyOf(before));
    this.#draft.put({ ...before, publicKey, presharedKey });
    await changePeerRow(this.#tx, vrouterId, name, { publicKey });
    await moveSeries(this.#tx, vrouterId, before.publicKey, publicKey, this.#desk.unixMs());
  }

  /** The rotation of this peer is over, and nothing of it is left: the peer is not what it began with. */
  async fail(entry: RotationPeerRow, reason: string): Promise<void> {
    this.#draft.remove(successorKey(INTERFACE, entry.publicKey));
    await this.#end(entry, 'failed', reason);
  }

  async #end(entry: RotationPeerRow, state: 'cancelled' | 'lapsed' | 'failed', reason: string | null): Promise<void> {
    // Who lapsed can still be made to change, for which its next keys are needed.
    const over = state === 'lapsed' ? { withdrawnVersion: null, endsAs: null } : ended(this.#desk.unixMs());
    await this.#set(entry, { ...over, state, reason });
  }

  #peer(entry: Pick<RotationPeerRow, 'publicKey'>): PeerIntent | null {
    return this.#head.intent('peer', peerKeyOf(entry));
  }

  #subject(peer: string): string {
    return `${this.#head.row.name} ${peer}`;
  }

  async #set(entry: RotationPeerRow, fields: RotationPeerFields): Promise<void> {
    await changeRotationPeer(this.#tx, entry, fields);
  }
}

/** What of a peer's part is left when it is over. */
function ended(nowUnixMs: number): RotationPeerFields {
  return { endedUnixMs: nowUnixMs, nextPresharedKey: null, withdrawnVersion: null, endsAs: null };
}

/** Tells of peers that have changed. To be called once it is committed. */
export function tellSwitched(desk: Desk, vrouter: string, switched: readonly Switched[], version: number): void {
  for (const { vrouterId, peer, oldPublicKey, publicKey, forced } of switched) {
    // What was told of the old key is of nobody any more.
    if (oldPublicKey !== publicKey) desk.roster.of(vrouterId)?.peers.delete(oldPublicKey);
    const how = forced ? 'was cut over to' : 'has changed to';
    const text = `peer ${peer} of ${vrouter} ${how} its new key ${publicKey}`;
    desk.events.emit({ type: 'peer.rotated', vrouter, subject: peer, version, text });
  }
}
