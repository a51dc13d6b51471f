/**
 * Sessions: one inside endpoint, one far endpoint, and what stands for the inside one outside. A row of columns each, found by its
 * five-tuple as either side writes it:
 *
 *   inside tuple    inside address and port -> remote address and port   (VRF of the inside)
 *   outside tuple   remote address and port -> outside address and port  (VRF of the outside)
 *
 * An ICMP echo session has its identifier in the place of the inside and outside port, and 0 for the remote one (RFC 5508 section 3.1).
 * The columns grow by doubling up to the limit; only what has expired is ever put out.
 */
import type { Rng } from '@vrouter/core/rng.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { addWord, wordsDelta } from './checksums.ts';
import { grown, Mappings, type Reservations, realm } from './mappings.ts';
import { type NatSettings, TICK_MS } from './settings.ts';
import { isEstablished, isTwoWay } from './tcp-state.ts';
import { TupleIndex } from './tuple-index.ts';
import { Wheel } from './wheel.ts';

const FIRST_ROWS = 256;
/** No session: the table is full, or the host has too many. */
export const FULL = -1;
export const HOST_FULL = -2;

export class Sessions {
  /** Live ones. */
  count: number;
  readonly mappings: Mappings;
  insideIp: Int32Array;
  insidePort: Uint16Array;
  insideVrf: Uint16Array;
  outsideIp: Int32Array;
  outsidePort: Uint16Array;
  outsideVrf: Uint16Array;
  remoteIp: Int32Array;
  remotePort: Uint16Array;
  /** 0 in a free row. */
  protocol: Uint8Array;
  /** `Seen` bits. */
  seen: Uint8Array;
  /** -1 for one of a published port. */
  mapping: Int32Array;
  /** Index of the rule that it was made by. */
  rule: Int32Array;
  /** The tick at which it is over, if nothing comes before. */
  deadline: Int32Array;
  /** What the way out adds to the sum of the IP header, and of the transport header. */
  ipDelta: Uint16Array;
  transportDelta: Uint16Array;
  /** Sessions by rule. */
  readonly ofRule: number[];
  #settings: NatSettings;
  readonly #byInside: TupleIndex;
  readonly #byOutside: TupleIndex;
  readonly #perHost: TupleIndex;
  readonly #wheel: Wheel;
  #free: Int32Array;
  #freeCount: number;
  #used: number;
  /** Deadlines that a packet of now gives: what `lifeOf` chooses from. */
  #udp: number;
  #udpOneWay: number;
  #tcpEstablished: number;
  #tcpTransitory: number;
  #tcpOneWay: number;
  #icmp: number;

  constructor(settings: NatSettings, rng: Rng, reservations: Reservations) {
    const rows = FIRST_ROWS;
    this.count = 0;
    this.mappings = new Mappings(rng, reservations);
    this.insideIp = new Int32Array(rows);
    this.insidePort = new Uint16Array(rows);
    this.insideVrf = new Uint16Array(rows);
    this.outsideIp = new Int32Array(rows);
    this.outsidePort = new Uint16Array(rows);
    this.outsideVrf = new Uint16Array(rows);
    this.remoteIp = new Int32Array(rows);
    this.remotePort = new Uint16Array(rows);
    this.protocol = new Uint8Array(rows);
    this.seen = new Uint8Array(rows);
    this.mapping = new Int32Array(rows);
    this.rule = new Int32Array(rows);
    this.deadline = new Int32Array(rows);
    this.ipDelta = new Uint16Array(rows);
    this.transportDelta = new Uint16Array(rows);
    this.ofRule = [];
    this.#settings = settings;
    this.#byInside = new TupleIndex(rng.uint32());
    this.#byOutside = new TupleIndex(rng.uint32());
    this.#perHost = new TupleIndex(rng.uint32());
    this.#wheel = new Wheel(rows);
    this.#free = new Int32Array(rows);
    this.#freeCount = 0;
    this.#used = 0;
    this.#udp = 0;
    this.#udpOneWay = 0;
    this.#tcpEstablished = 0;
    this.#tcpTransitory = 0;
    this.#tcpOneWay = 0;
    this.#icmp = 0;
  }

  get tick(): number {
    return this.#wheel.tick;
  }

  get byteLength(): number {
    const columns = this.protocol.length * (3 * 4 + 5 * 2 + 2 + 3 * 4 + 2 * 2 + 4);
    const indexes = this.#byInside.byteLength + this.#byOutside.byteLength + this.#perHost.byteLength;
    return columns + indexes + this.#wheel.byteLength + this.mappings.byteLength;
  }

  get settings(): NatSettings {
    return this.#settings;
  }

  /** Other limits and lives: nothing live is put out, and what lives goes on as it was given until its next packet. */
  limit(settings: NatSettings): void {
    this.#settings = settings;
  }

  /** Inside hosts that have sessions, and the most that one of them has. */
  hosts(): { readonly count: number; readonly most: number } {
    let most = 0;
    this.#perHost.each((_ip, _vrf, _zero, _none, sessions) => {
      most = Math.max(most, sessions);
    });
    return { count: this.#perHost.count, most };
  }

  /** Lets time come to `now`, in milliseconds: what is over is gone. */
  advance(now: number): void {
    const s = this.#settings;
    this.#udp = Math.ceil((now + s.udpMs) / TICK_MS);
    this.#udpOneWay = Math.ceil((now + s.udpOneWayMs) / TICK_MS);
    this.#tcpEstablished = Math.ceil((now + s.tcpEstablishedMs) / TICK_MS);
    this.#tcpTransitory = Math.ceil((now + s.tcpTransitoryMs) / TICK_MS);
    this.#tcpOneWay = Math.ceil((now + Math.min(s.tcpOneWayMs, s.tcpTransitoryMs)) / TICK_MS);
    this.#icmp = Math.ceil((now + s.icmpMs) / TICK_MS);
    const tick = Math.floor(now / TICK_MS);
    if (tick > this.#wheel.tick) this.#wheel.advance(tick, this);
  }

  findInside(ip: number, port: number, remoteIp: number, remotePort: number, realmWord: number): number {
    return this.#byInside.find(ip, remoteIp, (port << 16) | remotePort, realmWord);
  }

  findOutside(ip: number, port: number, remoteIp: number, remotePort: number, realmWord: number): number {
    return this.#byOutside.find(ip, remoteIp, (port << 16) | remotePort, realmWord);
  }

  /** Sessions of an inside host. */
  ofHost(ip: number, vrf: number): number {
    return Math.max(0, this.#perHost.find(ip, vrf, 0, 0));
  }

  /** Why no session more can be made for this host: `FULL`, `HOST_FULL`, or 0 when one can. */
  refusal(insideIp: number, insideVrf: number): number {
    if (this.count >= this.#settings.maxSessions) return FULL;
    return this.ofHost(insideIp, insideVrf) >= this.#settings.maxPerHost ? HOST_FULL : 0;
  }

  /** A new session, after `refusal` has said 0; nothing has been seen of it yet, so a packet of it must be told next (`touch`). */
  create(
    protocol: number,
    insideIp: number,
    insidePort: number,
    insideVrf: number,
    outsideIp: number,
    outsidePort: number,
    outsideVrf: number,
    remoteIp: number,
    remotePort: number,
    mapping: number,
    rule: number,
  ): number {
    const row = this.#freeCount > 0 ? this.#free[--this.#freeCount]! : this.#used++;
    if (row === this.protocol.length) this.#grow();
    this.count++;
    this.protocol[row] = protocol;
    this.insideIp[row] = insideIp;
    this.insidePort[row] = insidePort;
    this.insideVrf[row] = insideVrf;
    this.outsideIp[row] = outsideIp;
    this.outsidePort[row] = outsidePort;
    this.outsideVrf[row] = outsideVrf;
    this.remoteIp[row] = remoteIp;
    this.remotePort[row] = remotePort;
    this.mapping[row] = mapping;
    this.rule[row] = rule;
    this.seen[row] = 0;
    const ipDelta = wordsDelta(insideIp, outsideIp);
    const portDelta = addWord(~insidePort & 0xffff, outsidePort);
    this.ipDelta[row] = ipDelta;
    // ICMP has no pseudo-header: only the identifier counts.
    this.transportDelta[row] = protocol === IpProtocol.icmp ? portDelta : addWord(ipDelta, portDelta);
    this.#byInside.set(insideIp, remoteIp, (insidePort << 16) | remotePort, realm(protocol, insideVrf), row);
    this.#byOutside.set(outsideIp, remoteIp, (outsidePort << 16) | remotePort, realm(protocol, outsideVrf), row);
    this.#perHost.add(insideIp, insideVrf, 0, 0, 1);
    this.ofRule[rule] = (this.ofRule[rule] ?? 0) + 1;
    if (mapping >= 0) this.mappings.hold(mapping, remoteIp);
    return row;
  }

  /** A packet of the session has come, and this is what has been seen of it by now: its life begins anew. */
  touch(row: number, seen: number): void {
    this.seen[row] = seen;
    const deadline = this.#lifeOf(this.protocol[row]!, seen);
    this.deadline[row] = deadline;
    this.#wheel.wait(row, deadline);
  }

  remove(row: number): void {
    const protocol = this.protocol[row]!;
    if (protocol === 0) return;
    const insideIp = this.insideIp[row]!;
    const remoteIp = this.remoteIp[row]!;
    const remotePort = this.remotePort[row]!;
    const insideVrf = this.insideVrf[row]!;
    const inside = (this.insidePort[row]! << 16) | remotePort;
    const outside = (this.outsidePort[row]! << 16) | remotePort;
    this.#wheel.cancel(row);
    this.#byInside.delete(insideIp, remoteIp, inside, realm(protocol, insideVrf));
    this.#byOutside.delete(this.outsideIp[row]!, remoteIp, outside, realm(protocol, this.outsideVrf[row]!));
    this.#perHost.add(insideIp, insideVrf, 0, 0, -1);
    const rule = this.rule[row]!;
    this.ofRule[rule] = this.ofRule[rule]! - 1;
    if (this.mapping[row]! >= 0) this.mappings.release(this.mapping[row]!, remoteIp);
    this.protocol[row] = 0;
    this.#free[this.#freeCount++] = row;
    this.count--;
  }

  /** Rows that may be in use, free ones among them (`protocol` 0). */
  get rows(): number {
    return this.#used;
  }

  /** The wheel asks. */
  due(row: number, tick: number): number {
    const deadline = this.deadline[row]!;
    if (deadline > tick) return deadline;
    this.remove(row);
    return 0;
  }

  #lifeOf(protocol: number, seen: number): number {
    if (protocol === IpProtocol.tcp) {
      if (isEstablished(seen)) return this.#tcpEstablished;
      return isTwoWay(seen) ? this.#tcpTransitory : this.#tcpOneWay;
    }
    if (protocol === IpProtocol.udp) return isTwoWay(seen) ? this.#udp : this.#udpOneWay;
    return this.#icmp;
  }

  #grow(): void {
    const rows = Math.min(2 * this.protocol.length, Math.max(this.#settings.maxSessions, this.#used));
    this.insideIp = grown(this.insideIp, new Int32Array(rows));
    this.insidePort = grown(this.insidePort, new Uint16Array(rows));
    this.insideVrf = grown(this.insideVrf, new Uint16Array(rows));
    this.outsideIp = grown(this.outsideIp, new Int32Array(rows));
    this.outsidePort = grown(this.outsidePort, new Uint16Array(rows));
    this.outsideVrf = grown(this.outsideVrf, new Uint16Array(rows));
    this.remoteIp = grown(this.remoteIp, new Int32Array(rows));
    this.remotePort = grown(this.remotePort, new Uint16Array(rows));
    this.protocol = grown(this.protocol, new Uint8Array(rows));
    this.seen = grown(this.seen, new Uint8Array(rows));
    this.mapping = grown(this.mapping, new Int32Array(rows));
    this.rule = grown(this.rule, new Int32Array(rows));
    this.deadline = grown(this.deadline, new Int32Array(rows));
    this.ipDelta = grown(this.ipDelta, new Uint16Array(rows));
    this.transportDelta = grown(this.transportDelta, new Uint16Array(rows));
    this.#free = grown(this.#free, new Int32Array(rows));
    this.#wheel.grow(rows);
  }
}
