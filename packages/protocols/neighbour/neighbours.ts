/**
 * Whom we can reach on a link, and where: neighbour unreachability detection, RFC 4861 section 7.3 and appendix C, for IPv6 and, with
 * ARP as its messages, for IPv4 (RFC 1122 section 2.3.2.1 asks for something like it).
 *
 *                packet to send                    answered
 *      (nobody) ---------------> INCOMPLETE -------------------> REACHABLE <---------- answered
 *                 asks everybody     | 3 x silence                  | 30 s                |
 *                                    v                              v        packet       |
 *                                 failed                          STALE ---------> DELAY  |
 *                                    ^                              ^                | 5 s|
 *                                    | 3 x silence                  | heard from     v    |
 *                                    '------------------------------+------------- PROBE -' asks it alone
 */
import type { Millis } from '@vrouter/core/time.ts';
import { millis } from '@vrouter/core/time.ts';
import { isMac, MAC_LEN, putMac } from '@vrouter/wire/ethernet/ethernet.ts';
import * as limits from './constants.ts';
import { NeighbourState, NeighbourTable } from './table.ts';

const NEVER = millis(Number.POSITIVE_INFINITY);
/** A full table is looked through for those to forget this often at most. */
const AGE_MS = 1000;

/** What the machine asks of who speaks for it. */
export interface NeighbourHands {
  /** Asks for the entry's address: everybody, or where it was. */
  solicit(entry: number, everybody: boolean): void;
  /** The entry's MAC address is known from now on. */
  resolved(entry: number): void;
  /** Nobody answered; the entry is gone when this returns. */
  failed(entry: number): void;
}

export interface NeighbourLimits {
  readonly neighbours: number;
  readonly incomplete: number;
}

export class Neighbours {
  readonly table: NeighbourTable;
  /** Those being looked for. */
  incomplete: number;
  readonly #hands: NeighbourHands;
  readonly #maxIncomplete: number;
  readonly #reachableMs: number;
  /** Of those with a timer running: when it rings. For REACHABLE: how long it is. */
  readonly #until: Float64Array;
  readonly #asked: Uint8Array;
  /** Entries whose timer runs, in no order, and where each stands there (-1: nowhere). */
  readonly #busy: Int32Array;
  readonly #busyAt: Int32Array;
  #busyCount: number;
  #wakeAt: Millis;
  #agedAt: number;

  /** `chance` is any 32-bit number: it spreads the times of several routers, and seeds a hash. */
  constructor(hands: NeighbourHands, chance: number, most: NeighbourLimits) {
    this.table = new NeighbourTable(most.neighbours, chance);
    this.incomplete = 0;
    this.#hands = hands;
    this.#maxIncomplete = most.incomplete;
    const factor =
      limits.MIN_RANDOM_FACTOR +
      ((limits.MAX_RANDOM_FACTOR - limits.MIN_RANDOM_FACTOR) * (chance >>> 0)) / 0x1_0000_0000;
    this.#reachableMs = limits.REACHABLE_TIME_MS * factor;
    this.#until = new Float64Array(most.neighbours);
    this.#asked = new Uint8Array(most.neighbours);
    this.#busy = new Int32Array(most.neighbours);
    this.#busyAt = new Int32Array(most.neighbours).fill(-1);
    this.#busyCount = 0;
    this.#wakeAt = NEVER;
    this.#agedAt = Number.NEGATIVE_INFINITY;
  }

  /** When `tick` has something to do; it may be earlier than that, never later. */
  wakeAt(): Millis {
    return this.#wakeAt;
  }

  /** A packet is to go to this neighbour. True: its MAC address is good. False: it is being looked for. */
  use(entry: number, now: Millis): boolean {
    const { table } = this;
    table.usedAt[entry] = now;
    const state = table.state[entry];
    if (state === NeighbourState.reachable && now < this.#until[entry]!) return true;
    if (state === NeighbourState.reachable || state === NeighbourState.stale) {
      table.state[entry] = NeighbourState.delay;
      this.#arm(entry, millis(now + limits.DELAY_FIRST_PROBE_TIME_MS));
      return true;
    }
    return state !== NeighbourState.incomplete;
  }

  /** Begins to look for an address of 4 or 16 bytes that has no entry. -1: too many are being looked for, or there is no room. */
  seek(v: DataView, at: number, addressBytes: number, now: Millis): number {
    if (this.incomplete >= this.#maxIncomplete) return -1;
    const entry = this.#add(v, at, addressBytes, now);
    if (entry < 0) return -1;
    this.incomplete++;
    this.table.usedAt[entry] = now;
    this.#asked[entry] = 0;
    this.#ask(entry, now, true);
    return entry;
  }

  /** A neighbour asked for us, and said where it is (RFC 4861 section 7.2.3; RFC 826): it is worth knowing, but not confirmed. */
  heard(v: DataView, at: number, addressBytes: number, mac: Uint8Array, macAt: number, now: Millis): void {
    let entry = this.table.find(v, at, addressBytes);
    if (entry < 0) {
      entry = this.#add(v, at, addressBytes, now);
      if (entry < 0) return;
      this.incomplete++;
    } else if (this.table.state[entry] !== NeighbourState.incomplete && isMac(mac, macAt, this.macOf(entry))) return;
    this.#settle(entry, NeighbourState.stale, mac, macAt, now);
  }

  /**
   * A neighbour says where it is, RFC 4861 section 7.2.5. `mac` null: it did not say. `solicited`: it answers us. `override`: what it
   * says counts more than what we know. Nobody is learnt of this way: false when nobody knows the address.
   */
  advertised(
    entry: number,
    mac: Uint8Array | null,
    macAt: number,
    solicited: boolean,
    override: boolean,
    now: Millis,
  ): boolean {
    if (entry < 0) return false;
    const { state } = this.table;
    const confirmed = solicited ? NeighbourState.reachable : NeighbourState.stale;
    if (state[entry] === NeighbourState.incomplete) {
      if (mac !== null) this.#settle(entry, confirmed, mac, macAt, now);
      return true;
    }
    const moved = mac !== null && !isMac(mac, macAt, this.macOf(entry));
    if (moved && !override) {
      if (state[entry] === NeighbourState.reachable) state[entry] = NeighbourState.stale;
      return true;
    }
    if (moved || solicited) this.#settle(entry, confirmed, mac, macAt, now);
    return true;
  }

  /** Forgets everybody that `which` says; those looked for fail. */
  forget(which: (address: Uint8Array) => boolean): void {
    const { table } = this;
    for (let entry = 0; entry < table.capacity; entry++)
      if (table.state[entry] !== NeighbourState.free && which(table.address(entry))) this.#drop(entry);
  }

  macOf(entry: number): Uint8Array {
    return this.table.mac.subarray(entry * MAC_LEN, entry * MAC_LEN + MAC_LEN);
  }

  /** Whether the neighbour would be used without a question. */
  isReachable(entry: number, now: Millis): boolean {
    return this.table.state[entry] === NeighbourState.reachable && now < this.#until[entry]!;
  }

  /** Does what is due. */
  tick(now: Millis): void {
    if (now < this.#wakeAt) return;
    this.#wakeAt = NEVER;
    // From behind: whoever leaves is replaced by the last, which has had its turn.
    for (let i = this.#busyCount - 1; i >= 0; i--) {
      const entry = this.#busy[i]!;
      if (this.#until[entry]! <= now) this.#due(entry, now);
      else this.#wakeAt = millis(Math.min(this.#wakeAt, this.#until[entry]!));
    }
  }

  #due(entry: number, now: Millis): void {
    const { state } = this.table;
    if (state[entry] === NeighbourState.delay) {
      state[entry] = NeighbourState.probe;
      this.#asked[entry] = 0;
    }
    const everybody = state[entry] === NeighbourState.incomplete;
    const most = everybody ? limits.MAX_MULTICAST_SOLICIT : limits.MAX_UNICAST_SOLICIT;
    if (this.#asked[entry]! >= most) this.#drop(entry);
    else this.#ask(entry, now, everybody);
  }

  #ask(entry: number, now: Millis, everybody: boolean): void {
    // Armed first: the answer may come while we ask.
    this.#arm(entry, millis(now + limits.RETRANS_TIMER_MS));
    this.#asked[entry] = this.#asked[entry]! + 1;
    this.#hands.solicit(entry, everybody);
  }

  #add(v: DataView, at: number, addressBytes: number, now: Millis): number {
    this.#age(now);
    return this.table.add(v, at, addressBytes);
  }

  /** Only idle neighbours make room, and those that were confirmed long ago are idle though nobody has looked since. */
  #age(now: Millis): void {
    const { table } = this;
    if (table.count < table.capacity || now - this.#agedAt < AGE_MS) return;
    this.#agedAt = now;
    for (let entry = 0; entry < table.capacity; entry++)
      if (table.state[entry] === NeighbourState.reachable && now >= this.#until[entry]!)
        table.state[entry] = NeighbourState.stale;
  }

  #settle(entry: number, state: NeighbourState, mac: Uint8Array | null, macAt: number, now: Millis): void {
    const { table } = this;
    const found = table.state[entry] === NeighbourState.incomplete;
    if (found) this.incomplete--;
    this.#disarm(entry);
    if (mac !== null) putMac(table.mac, entry * MAC_LEN, mac, macAt);
    table.state[entry] = state;
    if (state === NeighbourState.reachable) {
      this.#until[entry] = now + this.#reachableMs;
      table.confirmedAt[entry] = now;
    }
    if (found) this.#hands.resolved(entry);
  }

  #drop(entry: number): void {
    this.#disarm(entry);
    if (this.table.state[entry] === NeighbourState.incomplete) this.incomplete--;
    this.#hands.failed(entry);
    this.table.remove(entry);
  }

  #arm(entry: number, at: Millis): void {
    this.#until[entry] = at;
    if (at < this.#wakeAt) this.#wakeAt = at;
    if (this.#busyAt[entry]! >= 0) return;
    this.#busyAt[entry] = this.#busyCount;
    this.#busy[this.#busyCount++] = entry;
  }

  #disarm(entry: number): void {
    const at = this.#busyAt[entry]!;
    if (at < 0) return;
    const last = this.#busy[--this.#busyCount]!;
    this.#busy[at] = last;
    this.#busyAt[last] = at;
    this.#busyAt[entry] = -1;
  }
}
