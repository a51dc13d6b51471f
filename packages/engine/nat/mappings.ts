/**
 * Mappings: which outside address and port stand for an inside one. The same for every far end (endpoint-independent, RFC 4787 section
 * 4.1, REQ-1), made with the first session of an inside endpoint and gone with its last. Through a mapping comes who has been
 * sent to (address-dependent filtering, section 5, REQ-8): that is what `permits` counts, per mapping and far address.
 *
 * A key has four words: addresses as they are, ports in one word, and protocol and VRF in one (`realm`).
 */
import type { Rng } from '@vrouter/core/rng.ts';
import { PortSet } from './ports.ts';
import { TupleIndex } from './tuple-index.ts';

/** Protocol and VRF in one word. */
export function realm(protocol: number, vrf: number): number {
  return protocol | (vrf << 8);
}

/** Says which ports of an address are published; they are never given to a mapping. */
export interface Reservations {
  reserve(ports: PortSet, protocol: number, vrf: number, address: number): void;
}

export class Mappings {
  count: number;
  insideIp: Int32Array;
  insidePort: Uint16Array;
  insideRealm: Int32Array;
  /** What tells mappings of one inside endpoint apart: the pool or the link that it leaves by. */
  way: Int32Array;
  outsideIp: Int32Array;
  outsidePort: Uint16Array;
  outsideRealm: Int32Array;
  /** Index of the rule that it was made by. */
  rule: Int32Array;
  /** Sessions that use it. */
  users: Int32Array;
  readonly #rng: Rng;
  readonly #reservations: Reservations;
  readonly #byInside: TupleIndex;
  readonly #byOutside: TupleIndex;
  readonly #permits: TupleIndex;
  /** Which port set an outside address has for a protocol. */
  readonly #portSetOf: TupleIndex;
  readonly #portSets: PortSet[];
  #free: Int32Array;
  #freeCount: number;
  #used: number;

  constructor(rng: Rng, reservations: Reservations) {
    this.count = 0;
    this.insideIp = new Int32Array(64);
    this.insidePort = new Uint16Array(64);
    this.insideRealm = new Int32Array(64);
    this.way = new Int32Array(64);
    this.outsideIp = new Int32Array(64);
    this.outsidePort = new Uint16Array(64);
    this.outsideRealm = new Int32Array(64);
    this.rule = new Int32Array(64);
    this.users = new Int32Array(64);
    this.#rng = rng;
    this.#reservations = reservations;
    this.#byInside = new TupleIndex(rng.uint32());
    this.#byOutside = new TupleIndex(rng.uint32());
    this.#permits = new TupleIndex(rng.uint32());
    this.#portSetOf = new TupleIndex(rng.uint32());
    this.#portSets = [];
    this.#free = new Int32Array(64);
    this.#freeCount = 0;
    this.#used = 0;
  }

  get byteLength(): number {
    const columns = this.users.length * (8 * 4 + 2 * 2);
    return columns + this.#byInside.byteLength + this.#byOutside.byteLength + this.#permits.byteLength;
  }

  /** The mapping of an inside endpoint that leaves this way, -1 when there is none. */
  findInside(ip: number, port: number, realmWord: number, way: number): number {
    return this.#byInside.find(ip, way, port, realmWord);
  }

  /** The mapping that an outside endpoint stands for, -1 when there is none. */
  findOutside(ip: number, port: number, realmWord: number): number {
    return this.#byOutside.find(ip, 0, port, realmWord);
  }

  /** Whether an inside host has sent to this far address through the mapping. */
  isPermitted(mapping: number, remoteIp: number): boolean {
    return this.#permits.find(mapping, remoteIp, 0, 0) > 0;
  }

  /** A new mapping with nobody on it; -1 when the address has no free port from `first` to `last`. */
  create(
    insideIp: number,
    insidePort: number,
    insideRealm: number,
    way: number,
    outsideIp: number,
    outsideRealm: number,
    first: number,
    last: number,
    rule: number,
  ): number {
    const ports = this.#ports(outsideIp, outsideRealm);
    const start = first + (this.#rng.uint32() % (last - first + 1));
    const port = ports.choose(insidePort, first, last, start);
    if (port < 0) return -1;
    ports.take(port);
    const row = this.#freeCount > 0 ? this.#free[--this.#freeCount]! : this.#used++;
    if (row === this.users.length) this.#grow();
    this.insideIp[row] = insideIp;
    this.insidePort[row] = insidePort;
    this.insideRealm[row] = insideRealm;
    this.way[row] = way;
    this.outsideIp[row] = outsideIp;
    this.outsidePort[row] = port;
    this.outsideRealm[row] = outsideRealm;
    this.rule[row] = rule;
    this.users[row] = 0;
    this.#byInside.set(insideIp, way, insidePort, insideRealm, row);
    this.#byOutside.set(outsideIp, 0, port, outsideRealm, row);
    this.count++;
    return row;
  }

  /** One more session to this far address. */
  hold(row: number, remoteIp: number): void {
    this.users[row] = this.users[row]! + 1;
    this.#permits.add(row, remoteIp, 0, 0, 1);
  }

  /** One session less; the last one takes the mapping with it. */
  release(row: number, remoteIp: number): void {
    this.#permits.add(row, remoteIp, 0, 0, -1);
    const users = this.users[row]! - 1;
    this.users[row] = users;
    if (users === 0) this.discard(row);
  }

  /** Forgets a mapping that nobody uses. */
  discard(row: number): void {
    const ip = this.outsideIp[row]!;
    const port = this.outsidePort[row]!;
    const outsideRealm = this.outsideRealm[row]!;
    this.#byInside.delete(this.insideIp[row]!, this.way[row]!, this.insidePort[row]!, this.insideRealm[row]!);
    this.#byOutside.delete(ip, 0, port, outsideRealm);
    this.#ports(ip, outsideRealm).release(port);
    this.#free[this.#freeCount++] = row;
    this.count--;
  }

  /** What is published is another now. */
  reserveAnew(): void {
    for (let i = 0; i < this.#portSets.length; i++) this.#portSets[i]!.clearReserved();
    this.#portSetOf.each((ip, _zero, _none, realmWord, set) => {
      this.#reservations.reserve(this.#portSets[set]!, realmWord & 0xff, realmWord >>> 8, ip);
    });
  }

  #ports(ip: number, realmWord: number): PortSet {
    const known = this.#portSetOf.find(ip, 0, 0, realmWord);
    if (known >= 0) return this.#portSets[known]!;
    const made = new PortSet();
    this.#portSetOf.set(ip, 0, 0, realmWord, this.#portSets.length);
    this.#portSets.push(made);
    this.#reservations.reserve(made, realmWord & 0xff, realmWord >>> 8, ip);
    return made;
  }

  #grow(): void {
    const size = 2 * this.users.length;
    this.insideIp = grown(this.insideIp, new Int32Array(size));
    this.insidePort = grown(this.insidePort, new Uint16Array(size));
    this.insideRealm = grown(this.insideRealm, new Int32Array(size));
    this.way = grown(this.way, new Int32Array(size));
    this.outsideIp = grown(this.outsideIp, new Int32Array(size));
    this.outsidePort = grown(this.outsidePort, new Uint16Array(size));
    this.outsideRealm = grown(this.outsideRealm, new Int32Array(size));
    this.rule = grown(this.rule, new Int32Array(size));
    this.users = grown(this.users, new Int32Array(size));
    this.#free = grown(this.#free, new Int32Array(size));
  }
}

/** The same values at the start of a longer column. */
export function grown<T extends Int32Array | Uint16Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
