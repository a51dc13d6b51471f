/**
 * The addresses that are ours on a link: whether each may be used, and what is said about it unasked.
 *
 *   IPv6:  tentative --(1 s, nobody has it)--> valid           RFC 4862 section 5.4
 *              ^------(somebody has it)-----> duplicate --(a minute)--> tentative
 *   IPv4:  valid at once, announced; who claims it hears from us, at most once in 10 s        RFC 5227 section 2.4 (c)
 *
 * An IPv4 address is not probed for first: a router that comes back after a crash would keep its link waiting for seconds.
 */
import type { Prefix } from '@vrouter/core/prefix.ts';
import type { Millis } from '@vrouter/core/time.ts';
import { millis } from '@vrouter/core/time.ts';
import {
  ANNOUNCE_INTERVAL_MS,
  ANNOUNCE_NUM,
  DEFEND_INTERVAL_MS,
  DUP_ADDR_DETECT_TRANSMITS,
  DUPLICATE_RETRY_MS,
  RETRANS_TIMER_MS,
} from './constants.ts';

export type OwnState = 'tentative' | 'valid' | 'duplicate';

export interface OwnAddress {
  readonly address: Uint8Array;
  readonly bits: number;
  state: OwnState;
  /** Others that claimed it. */
  conflicts: number;
  /** Questions or announcements still to be made, and when the next is due. */
  left: number;
  dueAt: Millis;
  defendedAt: Millis;
  /** How often it was added. */
  users: number;
}

export interface OwnHands {
  /** Asks whether anybody has this address. */
  probe(address: Uint8Array): void;
  /** Says to everybody that it is ours. */
  announce(address: Uint8Array): void;
}

const NEVER = millis(Number.POSITIVE_INFINITY);

export class OwnAddresses {
  readonly #hands: OwnHands;
  /** By address and bits. There may be thousands of single addresses, of which packets must not cost a walk. */
  readonly #all: Map<string, OwnAddress>;
  /** By IPv4 address as a word; the few of IPv6; those that have a network. */
  readonly #four: Map<number, OwnAddress>;
  readonly #six: Set<OwnAddress>;
  readonly #networks: Set<OwnAddress>;
  /** Nothing is due before. */
  #wakeAt: Millis;

  constructor(hands: OwnHands) {
    this.#hands = hands;
    this.#all = new Map();
    this.#four = new Map();
    this.#six = new Set();
    this.#networks = new Set();
    this.#wakeAt = NEVER;
  }

  get all(): readonly OwnAddress[] {
    return [...this.#all.values()];
  }

  /** Those that are more than one address. */
  get networks(): Iterable<OwnAddress> {
    return this.#networks;
  }

  wakeAt(): Millis {
    return this.#wakeAt;
  }

  add({ address, bits }: Prefix, now: Millis): void {
    const key = keyOf(address, bits);
    const known = this.#all.get(key);
    if (known !== undefined) {
      known.users++;
      return;
    }
    const own: OwnAddress = {
      address: address.slice(),
      bits,
      state: 'valid',
      conflicts: 0,
      left: 0,
      dueAt: NEVER,
      defendedAt: millis(Number.NEGATIVE_INFINITY),
      users: 1,
    };
    this.#all.set(key, own);
    if (address.length === 4) this.#four.set(wordAt(address, 0), own);
    else this.#six.add(own);
    if (bits < 8 * address.length) this.#networks.add(own);
    this.#begin(own, now);
  }

  remove({ address, bits }: Prefix): void {
    const key = keyOf(address, bits);
    const own = this.#all.get(key);
    if (own === undefined || --own.users > 0) return;
    this.#all.delete(key);
    this.#six.delete(own);
    this.#networks.delete(own);
    if (address.length !== 4 || this.#four.get(wordAt(address, 0)) !== own) return;
    this.#four.delete(wordAt(address, 0));
    // It may be there with another length.
    for (let length = 0; length <= 32; length++) {
      const other = this.#all.get(keyOf(address, length));
      if (other !== undefined) this.#four.set(wordAt(address, 0), other);
    }
  }

  /** The link has come up: others may have taken our addresses meanwhile. */
  restart(now: Millis): void {
    for (const own of this.#all.values()) this.#begin(own, now);
  }

  /** The one with this address of 4 or 16 bytes, null when it is not ours. */
  find(bytes: Uint8Array, at: number, addressBytes: number): OwnAddress | null {
    if (addressBytes === 4) return this.#four.get(wordAt(bytes, at)) ?? null;
    for (const own of this.#six) if (sameBytes(bytes, at, own.address)) return own;
    return null;
  }

  /** Whether the address is in a network of ours. */
  isOnLink(bytes: Uint8Array, at: number, addressBytes: number): boolean {
    for (const own of this.#networks) if (own.address.length === addressBytes && within(own, bytes, at)) return true;
    return this.find(bytes, at, addressBytes) !== null;
  }

  /** An address of ours to speak from to this one: one in its network, else any that may be used; null without. */
  sourceFor(target: Uint8Array): Uint8Array | null {
    let any: Uint8Array | null = null;
    for (const own of this.#networks) {
      if (own.address.length !== target.length || own.state !== 'valid') continue;
      if (within(own, target, 0)) return own.address;
      any ??= own.address;
    }
    if (any !== null) return any;
    for (const own of this.#all.values())
      if (own.address.length === target.length && own.state === 'valid') return own.address;
    return null;
  }

  /** Somebody else says that it has this address. */
  conflict(own: OwnAddress, now: Millis): void {
    own.conflicts++;
    if (own.state === 'tentative') {
      own.state = 'duplicate';
      own.dueAt = millis(now + DUPLICATE_RETRY_MS);
    } else if (own.state === 'valid' && now - own.defendedAt >= DEFEND_INTERVAL_MS) {
      own.defendedAt = now;
      this.#hands.announce(own.address);
    }
  }

  tick(now: Millis): void {
    if (this.#wakeAt > now) return;
    let earliest = NEVER;
    for (const own of this.#all.values()) {
      if (own.dueAt <= now) this.#due(own, now);
      if (own.dueAt < earliest) earliest = own.dueAt;
    }
    this.#wakeAt = earliest;
  }

  #begin(own: OwnAddress, now: Millis): void {
    const four = own.address.length === 4;
    own.state = four ? 'valid' : 'tentative';
    own.left = four ? ANNOUNCE_NUM : DUP_ADDR_DETECT_TRANSMITS;
    own.dueAt = now;
    if (now < this.#wakeAt) this.#wakeAt = now;
  }

  #due(own: OwnAddress, now: Millis): void {
    if (own.state === 'duplicate') this.#begin(own, now);
    if (own.state === 'tentative' && own.left > 0) {
      own.left--;
      own.dueAt = millis(now + RETRANS_TIMER_MS);
      this.#hands.probe(own.address);
      return;
    }
    if (own.state === 'tentative') {
      own.state = 'valid';
      own.left = ANNOUNCE_NUM;
    }
    own.left--;
    own.dueAt = own.left > 0 ? millis(now + ANNOUNCE_INTERVAL_MS) : NEVER;
    this.#hands.announce(own.address);
  }
}

function keyOf(address: Uint8Array, bits: number): string {
  return `${address.toHex()}/${bits}`;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function sameBytes(bytes: Uint8Array, at: number, address: Uint8Array): boolean {
  for (let i = address.length - 1; i >= 0; i--) if (bytes[at + i] !== address[i]) return false;
  return true;
}

function within(own: OwnAddress, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i * 8 < own.bits; i++) {
    const keep = 0xff00 >>> Math.min(8, own.bits - i * 8);
    if (((bytes[at + i]! ^ own.address[i]!) & keep & 0xff) !== 0) return false;
  }
  return true;
}
