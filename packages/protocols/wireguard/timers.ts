/**
 * When a peer's device must act, section 6 of the paper. Every peer has five deadlines; a heap knows which peer is next, so thousands
 * of idle peers cost nothing. The heap is lazy: a deadline that moves away leaves the peer where it is, and the tick that comes too
 * early puts it right. So a packet costs two or three stores.
 */
import type { Rng } from '@vrouter/core/rng.ts';
import type { Millis } from '@vrouter/core/time.ts';
import {
  KEEPALIVE_TIMEOUT_MS,
  NEW_HANDSHAKE_AFTER_SILENCE_MS,
  REKEY_TIMEOUT_JITTER_MS,
  REKEY_TIMEOUT_MS,
  ZERO_KEYS_AFTER_MS,
} from './constants.ts';
import type { WireguardPeer } from './peer.ts';

export const Timer = {
  /** Data went out and nothing came back. */
  newHandshake: 0,
  /** Data came in and nothing went back. */
  sendKeepalive: 1,
  /** Our initiation is not answered. */
  retransmit: 2,
  persistentKeepalive: 3,
  /** No new session for so long that all keys go. */
  zeroKeys: 4,
} as const;
export type Timer = (typeof Timer)[keyof typeof Timer];
export const TIMERS = 5;

const OFF = Number.POSITIVE_INFINITY;

/** Something with deadlines and a place in the heap (-1: none). */
export interface Timed {
  readonly deadlines: Float64Array;
  heapIndex: number;
}

/** A binary heap by the earliest deadline that each item had when it was last looked at. */
export class DeadlineHeap<T extends Timed> {
  readonly #items: T[] = [];
  readonly #at: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Infinity when empty. */
  earliest(): number {
    return this.#items.length === 0 ? OFF : this.#at[0]!;
  }

  /** Makes sure that the item comes up by `at`. */
  by(item: T, at: number): void {
    const index = item.heapIndex;
    if (index < 0) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
      this.#at.push(at);
      this.#up(item.heapIndex);
    } else if (at < this.#at[index]!) {
      this.#at[index] = at;
      this.#up(index);
    }
  }

  /** The item on top if its time has come. It stays on top until `settle`. */
  takeDue(now: number): T | null {
    return this.#items.length > 0 && this.#at[0]! <= now ? this.#items[0]! : null;
  }

  /** Puts the item where its deadlines say, or out of the heap when they are all off. */
  settle(item: T): void {
    let at = OFF;
    for (let i = 0; i < item.deadlines.length; i++) if (item.deadlines[i]! < at) at = item.deadlines[i]!;
    if (at === OFF) {
      this.remove(item);
      return;
    }
    if (item.heapIndex < 0) {
      this.by(item, at);
      return;
    }
    this.#at[item.heapIndex] = at;
    this.#up(item.heapIndex);
    this.#down(item.heapIndex);
  }

  remove(item: T): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop()!;
    const lastAt = this.#at.pop()!;
    if (last === item) return;
    this.#items[index] = last;
    this.#at[index] = lastAt;
    last.heapIndex = index;
    this.#up(index);
    this.#down(last.heapIndex);
  }

  #up(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#at[parent]! <= this.#at[index]!) return;
      this.#swap(parent, index);
      index = parent;
    }
  }

  #down(from: number): void {
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#items.length) return;
      if (child + 1 < this.#items.length && this.#at[child + 1]! < this.#at[child]!) child++;
      if (this.#at[index]! <= this.#at[child]!) return;
      this.#swap(index, child);
      index = child;
    }
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a]!;
    const at = this.#at[a]!;
    this.#items[a] = this.#items[b]!;
    this.#at[a] = this.#at[b]!;
    this.#items[b] = item;
    this.#at[b] = at;
    this.#items[a]!.heapIndex = a;
    item.heapIndex = b;
  }
}

/** Hooks named after what has just happened. */
export class PeerTimers {
  readonly #heap: DeadlineHeap<WireguardPeer>;
  readonly #rng: Rng;

  constructor(heap: DeadlineHeap<WireguardPeer>, rng: Rng) {
    this.#heap = heap;
    this.#rng = rng;
  }

  arm(peer: WireguardPeer, timer: Timer, at: number): void {
    peer.deadlines[timer] = at;
    this.#heap.by(peer, at);
  }

  /** Arms the timer if it is off or later. */
  shorten(peer: WireguardPeer, timer: Timer, at: number): void {
    if (at < peer.deadlines[timer]!) this.arm(peer, timer, at);
  }

  disarm(peer: WireguardPeer, timer: Timer): void {
    peer.deadlines[timer] = OFF;
  }

  /** True, and off, when the timer is due. */
  takeDue(peer: WireguardPeer, timer: Timer, now: Millis): boolean {
    if (peer.deadlines[timer]! > now) return false;
    peer.deadlines[timer] = OFF;
    return true;
  }

  /** Data, not a keepalive, was sent. */
  dataSent(peer: WireguardPeer, now: Millis): void {
    if (peer.deadlines[Timer.newHandshake] === OFF)
      this.arm(peer, Timer.newHandshake, now + NEW_HANDSHAKE_AFTER_SILENCE_MS + peer.silenceJitterMs);
  }

  /** Data, not a keepalive, was received. */
  dataReceived(peer: WireguardPeer, now: Millis): void {
    if (peer.deadlines[Timer.sendKeepalive] === OFF) this.arm(peer, Timer.sendKeepalive, now + KEEPALIVE_TIMEOUT_MS);
    // The keepalive that is due would otherwise be the last, though the other end has sent since and waits for a sign.
    else peer.keepaliveAgain = true;
  }

  /** Any message that the peer can authenticate was sent. */
  authenticatedSent(peer: WireguardPeer): void {
    peer.deadlines[Timer.sendKeepalive] = OFF;
    peer.keepaliveAgain = false;
  }

  /** Any authentic message was received. */
  authenticatedReceived(peer: WireguardPeer): void {
    peer.deadlines[Timer.newHandshake] = OFF;
  }

  /** Either of the two. */
  authenticatedTraversal(peer: WireguardPeer, now: Millis): void {
    if (peer.persistentKeepaliveSeconds > 0)
      this.arm(peer, Timer.persistentKeepalive, now + peer.persistentKeepaliveSeconds * 1000);
  }

  handshakeInitiated(peer: WireguardPeer, now: Millis): void {
    this.arm(peer, Timer.retransmit, now + REKEY_TIMEOUT_MS + this.#jitterMs());
  }

  /** Both ends are known to have the session. */
  handshakeComplete(peer: WireguardPeer): void {
    peer.deadlines[Timer.retransmit] = OFF;
    peer.refreshTried = false;
  }

  /** New keys, confirmed or not. */
  sessionDerived(peer: WireguardPeer, now: Millis): void {
    peer.silenceJitterMs = this.#jitterMs();
    this.arm(peer, Timer.zeroKeys, now + ZERO_KEYS_AFTER_MS);
  }

  /** REKEY_ATTEMPT_TIME passed without an answer. */
  gaveUp(peer: WireguardPeer, now: Millis): void {
    peer.deadlines[Timer.sendKeepalive] = OFF;
    if (peer.deadlines[Timer.zeroKeys] === OFF) this.arm(peer, Timer.zeroKeys, now + ZERO_KEYS_AFTER_MS);
  }

  #jitterMs(): number {
    return this.#rng.uint32() % (REKEY_TIMEOUT_JITTER_MS + 1);
  }
}
