/**
 * Gathers packets of one flow that follow each other into super-packets, the reverse of `Segmenter`: what it joins, a segmenter cuts into
 * the same packets again. TCP segments join when nothing but sequence number, PSH and FIN tells them apart; UDP datagrams when they are
 * of one length. Only packets whose checksums are right are joined: a receiver takes the checksum of a super-packet on trust. Order
 * within a flow is kept. Payloads stay where they lie: a frame is a list of pieces.
 *
 *   first[f]: [ virtio-net header, headers of the run ] [ payload of packet 1 ] [ of packet 2 ] ...
 *   alone:    [ virtio-net header of zeroes ] [ the packet ]
 *
 * Identifications of IPv4 must count up by one, but for packets that may not be fragmented, whose identification means nothing (RFC 6864
 * section 4.1). IPv4 options, IPv6 extension headers, fragments and datagrams without a checksum stay alone.
 */
import { finishChecksum, sumPseudoHeader, sumWords } from '../checksum/checksum.ts';
import { IPV4_MIN_LEN, IPV4_SRC_AT } from '../ipv4/ipv4.ts';
import { IpProtocol } from '../ipv4/protocols.ts';
import { IPV6_LEN, IPV6_SRC_AT } from '../ipv6/ipv6.ts';
import { TCP_CHECKSUM_AT, TCP_MIN_LEN, TcpFlag } from '../tcp/tcp.ts';
import { UDP_CHECKSUM_AT, UDP_LEN } from '../udp/udp.ts';
import { VNET_LEN, VnetFlag, VnetGso, writeVnet } from './header.ts';
import type { FrameMemory } from './segment.ts';

/** Packets as rows of columns. */
export interface GatherInput {
  readonly count: number;
  readonly region: readonly FrameMemory[];
  readonly offset: Int32Array;
  readonly length: Int32Array;
}

/** Which super-packets the receiver understands. */
export interface GatherKinds {
  readonly tcp: boolean;
  readonly udp: boolean;
}

/** A virtio-net header, a link header, and the longest headers that are joined: IPv6 and TCP with options. */
const HEADER_ROOM = VNET_LEN + 18 + IPV6_LEN + 60;
/** What a length field of IP can say, over both versions. */
const MAX_FRAME_BYTES = 65_535;
/** UDP_MAX_SEGMENTS of kernels before 6.9. */
const MAX_DATAGRAMS = 64;
const SLOTS = 256;
const OPEN = 1;
const SHUT = 0;
/** Flags that packets of a run share; PSH and FIN end a run. */
const ENDING = TcpFlag.psh | TcpFlag.fin;
const JOINABLE = TcpFlag.ack | TcpFlag.ece | ENDING;
const ETHERTYPE_AT = 12;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;

export class Gatherer {
  /** Frames made by the last `gather`; frame f is the pieces from `firstPiece[f]` up to `firstPiece[f + 1]`. */
  frames: number;
  readonly firstPiece: Int32Array;
  /** Pieces, in the order in which they are to be sent. */
  readonly region: FrameMemory[];
  readonly offset: Int32Array;
  readonly length: Int32Array;
  /** How many packets frame f holds, and the first of them; `nextRow` leads from one to the next, -1 ends. */
  readonly packets: Int32Array;
  readonly firstRow: Int32Array;
  readonly nextRow: Int32Array;
  readonly #linkBytes: number;
  readonly #kinds: GatherKinds;
  readonly #headers: FrameMemory;
  readonly #lastRow: Int32Array;
  /** Bytes before the payload, payload of each packet but the last, all bytes of the super-packet, next sequence number. */
  readonly #headerLen: Int32Array;
  readonly #size: Int32Array;
  readonly #bytes: Int32Array;
  readonly #sequence: Uint32Array;
  readonly #state: Uint8Array;
  /** Whether the checksum of the run's first packet has been verified. */
  readonly #verified: Uint8Array;
  /** By hash of the flow: its latest run + 1. */
  readonly #slots: Int32Array;
  // Facts about the packet that `#judge` saw last.
  /** Refused, and yet perhaps of a flow that has a run. */
  #isOdd: boolean;
  #hash: number;
  #six: boolean;
  #udp: boolean;
  #transport: number;
  #header: number;
  #payload: number;

  /** `capacity`: rows of one call at most. `linkBytes`: 0, or 14 for Ethernet. */
  constructor(capacity: number, linkBytes: 0 | 14, kinds: GatherKinds) {
    const nowhere: FrameMemory = { bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)) };
    this.frames = 0;
    this.firstPiece = new Int32Array(capacity + 1);
    this.region = new Array<FrameMemory>(2 * capacity).fill(nowhere);
    this.offset = new Int32Array(2 * capacity);
    this.length = new Int32Array(2 * capacity);
    this.packets = new Int32Array(capacity);
    this.firstRow = new Int32Array(capacity);
    this.nextRow = new Int32Array(capacity);
    this.#linkBytes = linkBytes;
    this.#kinds = kinds;
    const bytes = new Uint8Array((capacity + 1) * HEADER_ROOM);
    this.#headers = { bytes, view: new DataView(bytes.buffer) };
    this.#lastRow = new Int32Array(capacity);
    this.#headerLen = new Int32Array(capacity);
    this.#size = new Int32Array(capacity);
    this.#bytes = new Int32Array(capacity);
    this.#sequence = new Uint32Array(capacity);
    this.#state = new Uint8Array(capacity);
    this.#verified = new Uint8Array(capacity);
    this.#slots = new Int32Array(SLOTS);
    this.#isOdd = false;
    this.#hash = 0;
    this.#six = false;
    this.#udp = false;
    this.#transport = 0;
    this.#header = 0;
    this.#payload = 0;
  }

  /** Makes frames of the rows, at most `capacity`, each of them whole in exactly one; they are good until the next call. */
  gather(rows: GatherInput): void {
    this.frames = 0;
    this.#slots.fill(0);
    for (let row = 0; row < rows.count; row++) {
      this.nextRow[row] = -1;
      if (!this.#judge(rows, row)) {
        this.#alone(row, SHUT);
        // A piece of a datagram, say: no later packet of its flow may overtake it.
        if (this.#isOdd) this.#slots.fill(0);
        continue;
      }
      const slot = this.#hash & (SLOTS - 1);
      const run = this.#slots[slot]! - 1;
      if (run >= 0 && this.#state[run] === OPEN && this.#join(rows, run, row)) continue;
      // A later packet of the flow may not overtake this one, so its run is the one that counts.
      this.#slots[slot] = this.#alone(row, this.#mayLead(rows, row) ? OPEN : SHUT) + 1;
    }
    this.#layOut(rows);
  }

  /** Another run of one packet; returns its number. */
  #alone(row: number, state: number): number {
    const run = this.frames++;
    this.firstRow[run] = row;
    this.#lastRow[run] = row;
    this.packets[run] = 1;
    this.#state[run] = state;
    this.#verified[run] = 0;
    return run;
  }

  /** Whether the packet belongs to a flow of a kind that is gathered; then the facts about it are set. */
  #judge(rows: GatherInput, row: number): boolean {
    const v = rows.region[row]!.view;
    const at = rows.offset[row]! + this.#linkBytes;
    const length = rows.length[row]! - this.#linkBytes;
    this.#isOdd = true;
    if (length < IPV4_MIN_LEN + UDP_LEN) return false;
    const version = v.getUint8(at) >>> 4;
    if (this.#linkBytes !== 0) {
      const type = v.getUint16(rows.offset[row]! + ETHERTYPE_AT);
      if (type !== (version === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4)) return false;
    }
    let protocol: number;
    let hash: number;
    if (version === 4) {
      if (v.getUint8(at) !== 0x45 || v.getUint16(at + 2) !== length || (v.getUint16(at + 6) & 0x3fff) !== 0)
        return false;
      protocol = v.getUint8(at + 9);
      hash = v.getInt32(at + 12) ^ v.getInt32(at + 16);
    } else {
      if (version !== 6 || length < IPV6_LEN + UDP_LEN || v.getUint16(at + 4) !== length - IPV6_LEN) return false;
      protocol = v.getUint8(at + 6);
      hash = v.getInt32(at + 20) ^ v.getInt32(at + 36);
    }
    const network = version === 4 ? IPV4_MIN_LEN : IPV6_LEN;
    const transport = at + network;
    this.#isOdd = protocol !== IpProtocol.icmp && protocol !== IpProtocol.icmpv6;
    this.#udp = protocol === IpProtocol.udp;
    let header = network + UDP_LEN;
    if (protocol === IpProtocol.tcp ? !this.#kinds.tcp : this.#udp && !this.#kinds.udp) {
      this.#isOdd = false;
      return false;
    }
    if (protocol === IpProtocol.tcp) {
      if (length < network + TCP_MIN_LEN) return false;
      header = network + (v.getUint8(transport + 12) >>> 4) * 4;
      if (header < network + TCP_MIN_LEN || header > length) return false;
    } else if (!this.#udp || v.getUint16(transport + 4) !== length - network) return false;
    hash ^= v.getInt32(transport);
    hash ^= hash >>> 16;
    this.#hash = hash ^ (hash >>> 8);
    this.#six = version === 6;
    this.#transport = transport;
    this.#header = header;
    this.#payload = length - header;
    return true;
  }

  /** Whether others may join this one behind it, for all that its header says. Its checksum is looked at when one does. */
  #mayLead(rows: GatherInput, row: number): boolean {
    const v = rows.region[row]!.view;
    const run = this.frames;
    const t = this.#transport;
    if (this.#payload === 0) return false;
    if (this.#udp) {
      if (v.getUint16(t + UDP_CHECKSUM_AT) === 0) return false;
    } else {
      if (!joinable(v, t) || (v.getUint8(t + 13) & ENDING) !== 0) return false;
      this.#sequence[run] = v.getUint32(t + 4) + this.#payload;
    }
    this.#headerLen[run] = this.#linkBytes + this.#header;
    this.#size[run] = this.#payload;
    this.#bytes[run] = this.#linkBytes + this.#header + this.#payload;
    return true;
  }

  /** Adds the packet to the run if it continues it. A run that it does not continue stays as it is. */
  #join(rows: GatherInput, run: number, row: number): boolean {
    const payload = this.#payload;
    if (payload === 0 || payload > this.#size[run]! || this.#headerLen[run] !== this.#linkBytes + this.#header)
      return false;
    if (this.#bytes[run]! + payload > MAX_FRAME_BYTES) return false;
    if (this.#udp && this.packets[run]! >= MAX_DATAGRAMS) return false;
    const first = this.firstRow[run]!;
    const v = rows.region[row]!.view;
    const w = rows.region[first]!.view;
    const delta = rows.offset[first]! - rows.offset[row]!;
    const t = this.#transport;
    if (!sameNetwork(v, w, t, delta, this.#six, this.packets[run]!)) return false;
    if (v.getInt32(t) !== w.getInt32(t + delta)) return false;
    if (this.#linkBytes !== 0 && !sameBytes(v, w, rows.offset[row]!, delta, this.#linkBytes)) return false;
    let ends = payload < this.#size[run]!;
    if (this.#udp) {
      if (v.getUint16(t + UDP_CHECKSUM_AT) === 0) return false;
    } else {
      if (v.getUint32(t + 4) !== this.#sequence[run] || !joinable(v, t)) return false;
      const flags = v.getUint8(t + 13);
      if ((flags & ~ENDING) !== w.getUint8(t + delta + 13) || v.getUint8(t + 12) !== w.getUint8(t + delta + 12))
        return false;
      // Acknowledgment number, window, and options.
      if (v.getInt32(t + 8) !== w.getInt32(t + delta + 8) || v.getUint16(t + 14) !== w.getUint16(t + delta + 14))
        return false;
      const optionBytes = rows.offset[row]! + this.#linkBytes + this.#header - t - TCP_MIN_LEN;
      if (!sameBytes(v, w, t + TCP_MIN_LEN, delta, optionBytes)) return false;
      ends ||= (flags & ENDING) !== 0;
    }
    if (this.#verified[run] === 0) {
      if (!this.#isSound(w, t + delta, rows.length[first]! - this.#linkBytes)) {
        this.#state[run] = SHUT;
        return false;
      }
      this.#verified[run] = 1;
    }
    if (!this.#isSound(v, t, rows.length[row]! - this.#linkBytes)) return false;
    this.nextRow[this.#lastRow[run]!] = row;
    this.#lastRow[run] = row;
    this.packets[run] = this.packets[run]! + 1;
    this.#bytes[run] = this.#bytes[run]! + payload;
    this.#sequence[run] = this.#sequence[run]! + payload;
    if (ends) this.#state[run] = SHUT;
    return true;
  }

  /** Whether all checksums of the packet, `length` bytes from its IP header on, are right. Its family and protocol are those judged last. */
  #isSound(v: DataView, transport: number, length: number): boolean {
    const network = this.#six ? IPV6_LEN : IPV4_MIN_LEN;
    const ip = transport - network;
    if (!this.#six && finishChecksum(sumWords(v, ip, IPV4_MIN_LEN, 0)) !== 0) return false;
    const pseudo = this.#pseudo(v, ip, this.#six, this.#udp, length - network);
    return finishChecksum(sumWords(v, transport, length - network, pseudo)) === 0;
  }

  #pseudo(v: DataView, ip: number, six: boolean, udp: boolean, transportBytes: number): number {
    const addresses = ip + (six ? IPV6_SRC_AT : IPV4_SRC_AT);
    return sumPseudoHeader(v, addresses, six ? 16 : 4, udp ? IpProtocol.udp : IpProtocol.tcp, transportBytes);
  }

  /** Turns runs into pieces, and writes the headers of super-packets. */
  #layOut(rows: GatherInput): void {
    let piece = 0;
    for (let run = 0; run < this.frames; run++) {
      this.firstPiece[run] = piece;
      this.region[piece] = this.#headers;
      let row = this.firstRow[run]!;
      if (this.packets[run] === 1) {
        // The header of zeroes at the arena's start.
        this.offset[piece] = 0;
        this.length[piece++] = VNET_LEN;
        this.region[piece] = rows.region[row]!;
        this.offset[piece] = rows.offset[row]!;
        this.length[piece++] = rows.length[row]!;
        continue;
      }
      const at = (run + 1) * HEADER_ROOM;
      const headerLen = this.#headerLen[run]!;
      this.offset[piece] = at;
      this.length[piece++] = VNET_LEN + headerLen;
      this.#writeHeaders(rows, run, at);
      for (; row >= 0; row = this.nextRow[row]!) {
        this.region[piece] = rows.region[row]!;
        this.offset[piece] = rows.offset[row]! + headerLen;
        this.length[piece++] = rows.length[row]! - headerLen;
      }
    }
    this.firstPiece[this.frames] = piece;
  }

  #writeHeaders(rows: GatherInput, run: number, at: number): void {
    const row = this.firstRow[run]!;
    const headerLen = this.#headerLen[run]!;
    const { bytes, view: v } = this.#headers;
    const from = rows.region[row]!.bytes;
    for (let i = 0, p = rows.offset[row]!, q = at + VNET_LEN; i < headerLen; i++) bytes[q++] = from[p++]!;
    const ip = at + VNET_LEN + this.#linkBytes;
    const six = v.getUint8(ip) >>> 4 === 6;
    const network = six ? IPV6_LEN : IPV4_MIN_LEN;
    const transport = ip + network;
    const total = this.#bytes[run]! - this.#linkBytes;
    const udp = v.getUint8(six ? ip + 6 : ip + 9) === IpProtocol.udp;
    if (six) v.setUint16(ip + 4, total - IPV6_LEN);
    else {
      v.setUint16(ip + 2, total);
      v.setUint16(ip + 10, 0);
      v.setUint16(ip + 10, finishChecksum(sumWords(v, ip, IPV4_MIN_LEN, 0)));
    }
    const place = udp ? UDP_CHECKSUM_AT : TCP_CHECKSUM_AT;
    if (udp) v.setUint16(transport + 4, total - network);
    else {
      // Of the last packet only: it ended the run if it had any.
      const last = this.#lastRow[run]!;
      const ending = rows.region[last]!.view.getUint8(rows.offset[last]! + this.#linkBytes + network + 13) & ENDING;
      v.setUint8(transport + 13, v.getUint8(transport + 13) | ending);
    }
    // What the receiver adds the rest to: the pseudo-header's sum, not complemented.
    v.setUint16(transport + place, ~finishChecksum(this.#pseudo(v, ip, six, udp, total - network)) & 0xffff);
    const gso = udp ? VnetGso.udpDatagrams : six ? VnetGso.tcp6 : VnetGso.tcp4;
    const start = this.#linkBytes + network;
    writeVnet(v, at, VnetFlag.needsChecksum, gso, headerLen, this.#size[run]!, start, place);
  }
}

/** No flags that a segment may only have alone, no reserved bits, no urgent data. */
function joinable(v: DataView, t: number): boolean {
  const flags = v.getUint8(t + 13);
  return (flags & ~JOINABLE) === 0 && (flags & TcpFlag.ack) !== 0 && v.getUint16(t + 18) === 0;
}

/** Whether IP headers differ in length and identification only, as those of a run do. `delta` leads from the packet to the run's first. */
function sameNetwork(
  v: DataView,
  w: DataView,
  transport: number,
  delta: number,
  six: boolean,
  packets: number,
): boolean {
  if (six) {
    const ip = transport - IPV6_LEN;
    return (
      v.getInt32(ip) === w.getInt32(ip + delta) &&
      v.getUint16(ip + 6) === w.getUint16(ip + delta + 6) &&
      sameBytes(v, w, ip + IPV6_SRC_AT, delta, 32)
    );
  }
  const ip = transport - IPV4_MIN_LEN;
  const fragment = v.getUint16(ip + 6);
  return (
    v.getUint16(ip) === w.getUint16(ip + delta) &&
    fragment === w.getUint16(ip + delta + 6) &&
    v.getUint16(ip + 8) === w.getUint16(ip + delta + 8) &&
    v.getInt32(ip + 12) === w.getInt32(ip + delta + 12) &&
    v.getInt32(ip + 16) === w.getInt32(ip + delta + 16) &&
    ((fragment & 0x4000) !== 0 || v.getUint16(ip + 4) === ((w.getUint16(ip + delta + 4) + packets) & 0xffff))
  );
}

function sameBytes(v: DataView, w: DataView, at: number, delta: number, length: number): boolean {
  let i = at;
  for (const even = at + (length & ~3); i < even; i += 4) if (v.getInt32(i) !== w.getInt32(i + delta)) return false;
  for (; i < at + length; i++) if (v.getUint8(i) !== w.getUint8(i + delta)) return false;
  return true;
}
