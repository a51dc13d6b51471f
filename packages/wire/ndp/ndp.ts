/**
 * Neighbour solicitations and advertisements, and router solicitations, RFC 4861 sections 4.1, 4.3 and 4.4. `at` is where the IPv6
 * header begins, since what makes a message valid is there too (sections 6.1.1, 7.1.1 and 7.1.2).
 *
 *   |   Type 135 / 136  |  Code 0  |   Checksum   |
 *   |R|S|O|               Reserved                |
 *   |            Target Address, 16 bytes         |
 *   |  Options: type, length in units of 8, data ...
 */
import type { IpBytes } from '@vrouter/core/ip.ts';
import { finishChecksum, sumPseudoHeader, sumWords } from '../checksum/checksum.ts';
import { IpProtocol } from '../ipv4/protocols.ts';
import {
  checkIpv6,
  IPV6_DST_AT,
  IPV6_LEN,
  IPV6_SRC_AT,
  Ipv6Fault,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6PayloadLen,
} from '../ipv6/ipv6.ts';

export const NdpType = {
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
} as const;

export const NdpFault = {
  none: 0,
  short: 1,
  hopLimit: 2,
  checksum: 3,
  code: 4,
  target: 5,
  options: 6,
  destination: 7,
  unspecified: 8,
  type: 9,
} as const;
export type NdpFault = (typeof NdpFault)[keyof typeof NdpFault];

/** Who sent it never crossed a router. */
const HOP_LIMIT = 255;
const HEADER = 4;
const TARGET_AT = IPV6_LEN + 8;
const ROUTER_SOLICITATION_LEN = 8;
const NEIGHBOUR_LEN = 24;
const OPTION_SOURCE = 1;
const OPTION_TARGET = 2;
const LINK_LAYER_OPTION_LEN = 8;

const FLAG_ROUTER = 0x80;
const FLAG_SOLICITED = 0x40;
const FLAG_OVERRIDE = 0x20;

/** What `readNdp` found; one object, used again and again. Places are offsets in the same view. */
export interface NdpMessage {
  type: number;
  /** Where the target stands; -1 in a router solicitation. */
  targetAt: number;
  /** Where the sender's (or target's) MAC address stands; -1 without. */
  macAt: number;
  router: boolean;
  solicited: boolean;
  override: boolean;
  /** The source is `::`: somebody asks whether its new address is taken (RFC 4862 section 5.4.2). */
  unspecified: boolean;
}

export function makeNdpMessage(): NdpMessage {
  return {
    type: 0,
    targetAt: -1,
    macAt: -1,
    router: false,
    solicited: false,
    override: false,
    unspecified: false,
  };
}

/** Whether the packet is one of neighbour discovery without extension headers; `checkIpv6` need not have passed it. */
export function isNdp(v: DataView, at: number, end: number): boolean {
  if (end - at < IPV6_LEN + HEADER || ipv6NextHeader(v, at) !== IpProtocol.icmpv6) return false;
  const type = v.getUint8(at + IPV6_LEN);
  return type >= NdpType.routerSolicitation && type <= NdpType.redirect;
}

/** Reads and judges a message from its IPv6 header on. `found` is whole only when the answer is `none`. */
export function readNdp(v: DataView, at: number, end: number, found: NdpMessage): NdpFault {
  if (checkIpv6(v, at, end) !== Ipv6Fault.none) return NdpFault.short;
  if (ipv6NextHeader(v, at) !== IpProtocol.icmpv6) return NdpFault.type;
  const length = ipv6PayloadLen(v, at);
  const icmp = at + IPV6_LEN;
  if (length < HEADER) return NdpFault.short;
  if (ipv6HopLimit(v, at) !== HOP_LIMIT) return NdpFault.hopLimit;
  if (v.getUint8(icmp + 1) !== 0) return NdpFault.code;
  const pseudo = sumPseudoHeader(v, at + IPV6_SRC_AT, 16, IpProtocol.icmpv6, length);
  if (finishChecksum(sumWords(v, icmp, length, pseudo)) !== 0) return NdpFault.checksum;
  found.type = v.getUint8(icmp);
  found.unspecified = isUnspecified(v, at + IPV6_SRC_AT);
  found.targetAt = -1;
  switch (found.type) {
    case NdpType.routerSolicitation:
      if (length < ROUTER_SOLICITATION_LEN) return NdpFault.short;
      return readOptions(v, icmp + ROUTER_SOLICITATION_LEN, icmp + length, OPTION_SOURCE, found);
    case NdpType.neighbourSolicitation:
    case NdpType.neighbourAdvertisement:
      return length < NEIGHBOUR_LEN ? NdpFault.short : readNeighbour(v, at, icmp + length, found);
    default:
      return NdpFault.type;
  }
}

function readNeighbour(v: DataView, at: number, end: number, found: NdpMessage): NdpFault {
  const flags = v.getUint8(at + IPV6_LEN + HEADER);
  found.router = (flags & FLAG_ROUTER) !== 0;
  found.solicited = (flags & FLAG_SOLICITED) !== 0;
  found.override = (flags & FLAG_OVERRIDE) !== 0;
  found.targetAt = at + TARGET_AT;
  if (v.getUint8(found.targetAt) === 0xff || isUnspecified(v, found.targetAt)) return NdpFault.target;
  const solicitation = found.type === NdpType.neighbourSolicitation;
  const toGroup = v.getUint8(at + IPV6_DST_AT) === 0xff;
  if (!solicitation && toGroup && found.solicited) return NdpFault.destination;
  if (solicitation && found.unspecified && !isSolicitedNode(v, at + IPV6_DST_AT)) return NdpFault.destination;
  return readOptions(v, at + IPV6_LEN + NEIGHBOUR_LEN, end, solicitation ? OPTION_SOURCE : OPTION_TARGET, found);
}

/** Options that nobody here knows are passed over; a length of 0 would never end. */
function readOptions(v: DataView, from: number, end: number, wanted: number, found: NdpMessage): NdpFault {
  found.macAt = -1;
  for (let at = from; at < end; ) {
    if (end - at < 2) return NdpFault.options;
    const length = v.getUint8(at + 1) * 8;
    if (length === 0 || length > end - at) return NdpFault.options;
    if (v.getUint8(at) === wanted && length === LINK_LAYER_OPTION_LEN) {
      // Nobody is reached at a group's address.
      if ((v.getUint8(at + 2) & 1) !== 0) return NdpFault.options;
      found.macAt = at + 2;
    }
    at += length;
  }
  return found.unspecified && found.macAt >= 0 && wanted === OPTION_SOURCE ? NdpFault.unspecified : NdpFault.none;
}

function isUnspecified(v: DataView, at: number): boolean {
  return (v.getUint32(at) | v.getUint32(at + 4) | v.getUint32(at + 8) | v.getUint32(at + 12)) === 0;
}

/** ff02::1:ff00:0/104, RFC 4291 section 2.7.1. */
function isSolicitedNode(v: DataView, at: number): boolean {
  return (
    v.getUint32(at) === 0xff020000 &&
    v.getUint32(at + 4) === 0 &&
    v.getUint32(at + 8) === 1 &&
    v.getUint8(at + 12) === 0xff
  );
}

/** What is to be written: a solicitation, or an advertisement of a router. */
export interface NeighbourMessage {
  readonly type: typeof NdpType.neighbourSolicitation | typeof NdpType.neighbourAdvertisement;
  readonly src: IpBytes;
  readonly dst: IpBytes;
  readonly target: IpBytes;
  /** Null without the option, as a solicitation from `::` must be. */
  readonly mac: Uint8Array | null;
  readonly solicited: boolean;
  readonly override: boolean;
}

/** Bytes that `emitNeighbour` writes, IPv6 header included. */
export function neighbourLen(message: NeighbourMessage): number {
  return IPV6_LEN + NEIGHBOUR_LEN + (message.mac === null ? 0 : LINK_LAYER_OPTION_LEN);
}

/** Writes the whole packet, IPv6 header and checksum included. Advertisements say that we are a router. */
export function emitNeighbour(message: NeighbourMessage, bytes: Uint8Array, v: DataView, at: number): void {
  const length = neighbourLen(message) - IPV6_LEN;
  const icmp = at + IPV6_LEN;
  v.setUint32(at, 0x60000000);
  v.setUint16(at + 4, length);
  v.setUint16(at + 6, (IpProtocol.icmpv6 << 8) | HOP_LIMIT);
  bytes.set(message.src, at + IPV6_SRC_AT);
  bytes.set(message.dst, at + IPV6_DST_AT);
  v.setUint32(icmp, message.type << 24);
  const solicitation = message.type === NdpType.neighbourSolicitation;
  const said = (message.solicited ? FLAG_SOLICITED : 0) | (message.override ? FLAG_OVERRIDE : 0);
  v.setUint32(icmp + HEADER, solicitation ? 0 : (FLAG_ROUTER | said) << 24);
  bytes.set(message.target, at + TARGET_AT);
  if (message.mac !== null) {
    v.setUint16(icmp + NEIGHBOUR_LEN, ((solicitation ? OPTION_SOURCE : OPTION_TARGET) << 8) | 1);
    bytes.set(message.mac, icmp + NEIGHBOUR_LEN + 2);
  }
  const pseudo = sumPseudoHeader(v, at + IPV6_SRC_AT, 16, IpProtocol.icmpv6, length);
  v.setUint16(icmp + 2, finishChecksum(sumWords(v, icmp, length, pseudo)));
}

/** The group in which the owner of an address listens for solicitations, RFC 4291 section 2.7.1. */
export function solicitedNode(address: IpBytes): IpBytes {
  const group = new Uint8Array(16);
  group.set([0xff, 2]);
  group[11] = 1;
  group[12] = 0xff;
  group.set(address.subarray(13), 13);
  return group;
}

/** The MAC address of an IPv6 group, RFC 2464 section 7. */
export function groupMac(group: IpBytes): Uint8Array {
  return Uint8Array.of(0x33, 0x33, group[12]!, group[13]!, group[14]!, group[15]!);
}
