/** The keys of one session, and the three places a peer keeps sessions in (section 6.4 and the README's drawing). */
import type { Millis } from '@vrouter/core/time.ts';
import {
  REFRESH_ON_RECEIVE_MS,
  REJECT_AFTER_MESSAGES_HIGH,
  REJECT_AFTER_MESSAGES_LOW,
  REJECT_AFTER_TIME_MS,
  REKEY_AFTER_MESSAGES_HIGH,
  REKEY_AFTER_TIME_MS,
} from './constants.ts';
import type { IndexTable } from './index-table.ts';
import type { WireguardPeer } from './peer.ts';
import type { TransportCipher } from './ports.ts';
import { ReplayWindow } from './replay.ts';

export class Keypair {
  readonly peer: WireguardPeer;
  /** Ours, which the peer writes into its datagrams; and the peer's. */
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly sending: TransportCipher;
  readonly receiving: TransportCipher;
  readonly initiator: boolean;
  readonly createdAt: Millis;
  readonly replay: ReplayWindow = new ReplayWindow();
  /** Next counter to send with, low half first. */
  readonly counter: Uint32Array = new Uint32Array(2);
  /** False: opens what is still on its way, seals nothing more. */
  maySend = true;

  constructor(
    peer: WireguardPeer,
    localIndex: number,
    remoteIndex: number,
    sending: TransportCipher,
    receiving: TransportCipher,
    initiator: boolean,
    createdAt: Millis,
  ) {
    this.peer = peer;
    this.localIndex = localIndex;
    this.remoteIndex = remoteIndex;
    this.sending = sending;
    this.receiving = receiving;
    this.initiator = initiator;
    this.createdAt = createdAt;
  }

  /** Whether a packet may be sealed now, section 6.1. */
  canSend(now: Millis): boolean {
    const counter = this.counter;
    return (
      this.maySend &&
      now - this.createdAt < REJECT_AFTER_TIME_MS &&
      !(counter[1] === REJECT_AFTER_MESSAGES_HIGH && counter[0]! >= REJECT_AFTER_MESSAGES_LOW)
    );
  }

  /** Whether sending should renew it: by its initiator after a time, by either end after many messages. Section 6.2. */
  needsRekey(now: Millis): boolean {
    return (
      this.counter[1]! >= REKEY_AFTER_MESSAGES_HIGH || (this.initiator && now - this.createdAt >= REKEY_AFTER_TIME_MS)
    );
  }

  /** Whether receiving should renew it; only its initiator asks, and not for one that has ended. Section 6.2. */
  needsRefresh(now: Millis): boolean {
    return this.initiator && this.maySend && now - this.createdAt >= REFRESH_ON_RECEIVE_MS;
  }

  countSent(): void {
    const low = (this.counter[0]! + 1) >>> 0;
    this.counter[0] = low;
    if (low === 0) this.counter[1]!++;
  }
}

type Indices = IndexTable<WireguardPeer, Keypair>;

function erase(pair: Keypair | null, indices: Indices): void {
  if (pair === null) return;
  indices.release(pair.localIndex);
  pair.maySend = false;
  pair.sending.destroy();
  pair.receiving.destroy();
}

/** A session that the peer has answered: it can be used at once. An unconfirmed one steps back and only opens. */
export function installAsInitiator(peer: WireguardPeer, pair: Keypair, indices: Indices): void {
  erase(peer.previous, indices);
  if (peer.next !== null) {
    erase(peer.current, indices);
    peer.previous = peer.next;
    peer.next = null;
  } else peer.previous = peer.current;
  peer.current = pair;
}

/**
 * A session that we have answered: nothing is sent with it until the peer has used it, since our answer may be lost. `previous` stays
 * until then, other than in Linux: after two initiations that crossed it is what the peer still seals with, and when the renewals
 * cross again its packets come right behind the initiation.
 */
export function installAsResponder(peer: WireguardPeer, pair: Keypair, indices: Indices): void {
  erase(peer.next, indices);
  peer.next = pair;
}

/** The peer has used `next`: key confirmation. */
export function confirmNext(peer: WireguardPeer, indices: Indices): void {
  erase(peer.previous, indices);
  peer.previous = peer.current;
  peer.current = peer.next;
  peer.next = null;
}

/** Nothing more is sealed with the present keys; what is on its way can still be opened. */
export function expireSending(peer: WireguardPeer): void {
  if (peer.current !== null) peer.current.maySend = false;
  if (peer.next !== null) peer.next.maySend = false;
  if (peer.previous !== null) peer.previous.maySend = false;
}

export function dropSessions(peer: WireguardPeer, indices: Indices): void {
  erase(peer.previous, indices);
  erase(peer.current, indices);
  erase(peer.next, indices);
  peer.previous = null;
  peer.current = null;
  peer.next = null;
}
