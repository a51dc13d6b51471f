/**
 * struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7); the same on x86-64 and arm64), and endpoints made of them.
 *
 *     sockaddr_in    0 family | 2 port (BE) | 4 address                                          16 bytes
 *     sockaddr_in6   0 family | 2 port (BE) | 4 flow label | 8 address | 24 scope (interface)    28 bytes
 */
import { type Endpoint, makeEndpoint } from '@vrouter/core/endpoint.ts';
import { isLinkLocal, LOCAL_LENGTH, LOCAL_WORDS, readLocal } from './control.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCKADDR_IN_LEN = 16;
export const SOCKADDR_IN6_LEN = 28;

/** What one sockaddr may take in an arena, aligned. */
export const SOCKADDR_ROOM = 32;

/** RFC 4291 section 2.5.5.2: ::ffff:a.b.c.d is an IPv4 address on an IPv6 socket; the third word, as the host (LE) reads it. */
const MAPPED_WORD = 0xffff_0000 | 0;

/** More sources than this at once, and the table starts afresh: forged addresses must not fill the memory. */
const MAX_ENDPOINTS = 65_536;
/** Family, port and first word; four of the address; the interface; and behind it what `LOCAL_WORDS` are. */
const WORDS = 6 + LOCAL_WORDS;

/**
 * Endpoints by raw sockaddr and by which of our addresses was asked, so that a pair seen before costs no allocation and gives the same
 * object. A peer's endpoint thereby names both ends, and follows the newest authentic packet with both.
 */
export class EndpointTable {
  readonly #view: DataView;
  readonly #seed: number;
  /** The interface of link-local peers (RFC 4007), which an Endpoint does not carry. */
  readonly #scopes = new WeakMap<Endpoint, number>();
  readonly #key = new Int32Array(WORDS);
  #endpoints: Endpoint[] = [];
  #keys = new Int32Array(256 * WORDS);
  /** Open addressing; index into `#endpoints` plus one, 0 = free. Twice as long as there can be endpoints before it grows. */
  #slots = new Int32Array(512);
  #last = -1;

  /** `view` is the arena that the kernel writes sockaddrs to; `seed` keeps senders from choosing colliding addresses. */
  constructor(view: DataView, seed: number) {
    this.#view = view;
    this.#seed = seed;
  }

  get size(): number {
    return this.#endpoints.length;
  }

  /** The endpoint of the sockaddr at `at` in the arena; `local` is what `readControl` found of our side. */
  at(at: number, local: Int32Array): Endpoint {
    const view = this.#view;
    const key = this.#key;
    key[0] = view.getInt32(at, true);
    if (view.getUint16(at, true) === AF_INET) {
      key[1] = view.getInt32(at + 4, true);
      key[2] = key[3] = key[4] = key[5] = 0;
    } else {
      key[1] = view.getInt32(at + 8, true);
      key[2] = view.getInt32(at + 12, true);
      key[3] = view.getInt32(at + 16, true);
      key[4] = view.getInt32(at + 20, true);
      key[5] = view.getInt32(at + 24, true);
    }
    for (let i = 0; i < LOCAL_WORDS; i++) key[6 + i] = local[i]!;
    const endpoint = this.#last >= 0 && this.#holds(this.#last) ? this.#endpoints[this.#last]! : this.#find(at);
    // The address had gone, says the socket, and here it is again.
    if (endpoint.source === null && local[LOCAL_LENGTH] !== 0) endpoint.source = readLocal(local, endpoint);
    return endpoint;
  }

  scopeOf(endpoint: Endpoint): number {
    const { address } = endpoint;
    if (!isLinkLocal(address)) return 0;
    // One that came from another thread's socket has only what it carries.
    return this.#scopes.get(endpoint) ?? endpoint.source?.interfaceIndex ?? 0;
  }

  #holds(index: number): boolean {
    const from = index * WORDS;
    for (let i = 0; i < WORDS; i++) if (this.#keys[from + i] !== this.#key[i]) return false;
    return true;
  }

  #hash(keys: Int32Array, from: number): number {
    let hash = this.#seed;
    for (let i = 0; i < WORDS; i++) {
      hash = Math.imul(hash ^ keys[from + i]!, 0x9e3779b1);
      hash = (hash ^ (hash >>> 15)) + this.#seed;
    }
    return hash >>> 0;
  }

  #find(at: number): Endpoint {
    let slot = this.#hash(this.#key, 0) & (this.#slots.length - 1);
    for (let index = this.#slots[slot]!; index !== 0; index = this.#slots[slot]!) {
      if (this.#holds(index - 1)) {
        this.#last = index - 1;
        return this.#endpoints[index - 1]!;
      }
      slot = (slot + 1) & (this.#slots.length - 1);
    }
    return this.#add(at);
  }

  #add(at: number): Endpoint {
    if (this.#endpoints.length === MAX_ENDPOINTS) {
      this.#endpoints = [];
      this.#slots.fill(0);
    } else if (this.#endpoints.length * 2 === this.#slots.length) this.#grow();
    const index = this.#endpoints.length;
    const endpoint = readEndpoint(this.#view, at);
    if (this.#key[5] !== 0) this.#scopes.set(endpoint, this.#key[5]!);
    this.#endpoints.push(endpoint);
    this.#keys.set(this.#key, index * WORDS);
    this.#enter(index);
    this.#last = index;
    return endpoint;
  }

  #enter(index: number): void {
    let slot = this.#hash(this.#keys, index * WORDS) & (this.#slots.length - 1);
    while (this.#slots[slot] !== 0) slot = (slot + 1) & (this.#slots.length - 1);
    this.#slots[slot] = index + 1;
  }

  #grow(): void {
    const keys = new Int32Array(this.#keys.length * 2);
    keys.set(this.#keys);
    this.#keys = keys;
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let i = 0; i < this.#endpoints.length; i++) this.#enter(i);
  }
}

/** A fresh endpoint from a sockaddr; IPv4 mapped into IPv6 comes out as the plain IPv4 that it is. */
export function readEndpoint(view: DataView, at: number): Endpoint {
  const port = view.getUint16(at + 2);
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, SOCKADDR_IN6_LEN);
  if (view.getUint16(at, true) === AF_INET) return makeEndpoint(bytes.slice(4, 8), port);
  const mapped =
    view.getInt32(at + 8) === 0 && view.getInt32(at + 12) === 0 && view.getInt32(at + 16, true) === MAPPED_WORD;
  return makeEndpoint(mapped ? bytes.slice(20, 24) : bytes.slice(8, 24), port);
}

/**
 * Writes the sockaddr that reaches the address and port from a socket of the family. Returns its length, or 0 when an IPv4 socket
 * cannot reach it.
 */
export function writeSockaddr(
  view: DataView,
  at: number,
  family: number,
  address: Uint8Array,
  port: number,
  scope: number,
): number {
  view.setUint16(at, family, true);
  view.setUint16(at + 2, port);
  if (family === AF_INET) {
    if (address.length !== 4) return 0;
    for (let i = 0; i < 4; i++) view.setUint8(at + 4 + i, address[i]!);
    return SOCKADDR_IN_LEN;
  }
  view.setInt32(at + 4, 0);
  if (address.length === 4) {
    view.setInt32(at + 8, 0);
    view.setInt32(at + 12, 0);
    view.setInt32(at + 16, MAPPED_WORD, true);
    for (let i = 0; i < 4; i++) view.setUint8(at + 20 + i, address[i]!);
  } else for (let i = 0; i < 16; i++) view.setUint8(at + 8 + i, address[i]!);
  view.setInt32(at + 24, scope, true);
  return SOCKADDR_IN6_LEN;
}
