/**
 * IPv4 header, RFC 791 section 3.1.
 *
 *    0                   1                   2                   3
 *   |Version|  IHL  |   DSCP    |ECN|          Total Length         |
 *   |         Identification        |Flags|     Fragment Offset     |
 *   | Time to Live  |    Protocol   |        Header Checksum        |
 *   |                        Source Address                         |
 *   |                     Destination Address                       |
 */
import type { IpBytes } from '@vrouter/core/ip.ts';
import { finishChecksum, sumWords, updateChecksum } from '../checksum/checksum.ts';

/** Bytes of a header without options. */
export const IPV4_MIN_LEN = 20;
/** Where the protocol stands, for those who look without a view. */
export const IPV4_PROTOCOL_AT = 9;
/** Where the source stands; the destination follows it. */
export const IPV4_SRC_AT = 12;
export const IPV4_DST_AT = 16;

/** Why a header is refused. 0 is fine. */
export const Ipv4Fault = { none: 0, short: 1, version: 2, headerLength: 3, totalLength: 4, checksum: 5 } as const;
export type Ipv4Fault = (typeof Ipv4Fault)[keyof typeof Ipv4Fault];

export const ipVersion = (v: DataView, at: number): number => v.getUint8(at) >>> 4;
/** Bytes, options included. */
export const ipv4HeaderLen = (v: DataView, at: number): number => (v.getUint8(at) & 0xf) * 4;
export const ipv4TotalLen = (v: DataView, at: number): number => v.getUint16(at + 2);
export const ipv4Id = (v: DataView, at: number): number => v.getUint16(at + 4);
/** More fragments, or not the first: a piece of a datagram. */
export const ipv4IsFragment = (v: DataView, at: number): boolean => (v.getUint16(at + 6) & 0x3fff) !== 0;
export const ipv4DontFragment = (v: DataView, at: number): boolean => (v.getUint8(at + 6) & 0x40) !== 0;
export const ipv4Ttl = (v: DataView, at: number): number => v.getUint8(at + 8);
export const ipv4Protocol = (v: DataView, at: number): number => v.getUint8(at + 9);
export const ipv4Src = (v: DataView, at: number): number => v.getUint32(at + IPV4_SRC_AT);
export const ipv4Dst = (v: DataView, at: number): number => v.getUint32(at + IPV4_DST_AT);

/** The guard: after it no accessor can fail on `at`, and the whole packet lies before `end`. */
export function checkIpv4(v: DataView, at: number, end: number): Ipv4Fault {
  if (end - at < IPV4_MIN_LEN) return Ipv4Fault.short;
  if (ipVersion(v, at) !== 4) return Ipv4Fault.version;
  const headerLen = ipv4HeaderLen(v, at);
  if (headerLen < IPV4_MIN_LEN || headerLen > end - at) return Ipv4Fault.headerLength;
  const totalLen = ipv4TotalLen(v, at);
  if (totalLen < headerLen || totalLen > end - at) return Ipv4Fault.totalLength;
  return finishChecksum(sumWords(v, at, headerLen, 0)) === 0 ? Ipv4Fault.none : Ipv4Fault.checksum;
}

/** Sets the TTL and mends the checksum, RFC 1624. */
export function setIpv4Ttl(v: DataView, at: number, ttl: number): void {
  const before = v.getUint16(at + 8);
  const after = (ttl << 8) | (before & 0xff);
  v.setUint16(at + 8, after);
  v.setUint16(at + 10, updateChecksum(v.getUint16(at + 10), before, after));
}

/** Swaps source and destination; no checksum changes, since a sum does not know order. */
export function swapIpv4Addresses(v: DataView, at: number): void {
  const src = v.getUint32(at + IPV4_SRC_AT);
  v.setUint32(at + IPV4_SRC_AT, v.getUint32(at + IPV4_DST_AT));
  v.setUint32(at + IPV4_DST_AT, src);
}

export interface Ipv4Header {
  /** 0-63. */
  readonly dscp: number;
  /** 0-3, RFC 3168. */
  readonly ecn: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Bytes; a multiple of 8. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: IpBytes;
  readonly dst: IpBytes;
  /** As on the wire, padded to a multiple of 4; at most 40 bytes. */
  readonly options: Uint8Array;
  readonly payloadLength: number;
}

/** Null when `checkIpv4` refuses; it tells why. The bytes of addresses and options are copies. */
export function parseIpv4(v: DataView, at: number, end: number): Ipv4Header | null {
  if (checkIpv4(v, at, end) !== Ipv4Fault.none) return null;
  const fragment = v.getUint16(at + 6);
  const headerLen = ipv4HeaderLen(v, at);
  return {
    dscp: v.getUint8(at + 1) >>> 2,
    ecn: v.getUint8(at + 1) & 3,
    id: ipv4Id(v, at),
    dontFragment: (fragment & 0x4000) !== 0,
    moreFragments: (fragment & 0x2000) !== 0,
    fragmentOffset: (fragment & 0x1fff) * 8,
    ttl: ipv4Ttl(v, at),
    protocol: ipv4Protocol(v, at),
    src: copy(v, at + IPV4_SRC_AT, 4),
    dst: copy(v, at + IPV4_DST_AT, 4),
    options: copy(v, at + IPV4_MIN_LEN, headerLen - IPV4_MIN_LEN),
    payloadLength: ipv4TotalLen(v, at) - headerLen,
  };
}

/** Bytes that `emitIpv4` writes. */
export function ipv4Len(header: Ipv4Header): number {
  return IPV4_MIN_LEN + header.options.length;
}

/** Writes the header with its checksum; the payload is the caller's. Throws RangeError on what no header can say. */
export function emitIpv4(header: Ipv4Header, v: DataView, at: number): void {
  const headerLen = ipv4Len(header);
  if (header.options.length > 40 || header.options.length % 4 !== 0)
    throw new RangeError('options: 0 to 40 bytes, by 4');
  if (headerLen + header.payloadLength > 0xffff) throw new RangeError('longer than an IPv4 packet');
  if (header.fragmentOffset % 8 !== 0 || header.fragmentOffset > 0xfff8) throw new RangeError('fragmentOffset');
  v.setUint8(at, 0x40 | (headerLen / 4));
  v.setUint8(at + 1, (header.dscp << 2) | header.ecn);
  v.setUint16(at + 2, headerLen + header.payloadLength);
  v.setUint16(at + 4, header.id);
  const flags = (header.dontFragment ? 0x4000 : 0) | (header.moreFragments ? 0x2000 : 0);
  v.setUint16(at + 6, flags | (header.fragmentOffset / 8));
  v.setUint8(at + 8, header.ttl);
  v.setUint8(at + 9, header.protocol);
  v.setUint16(at + 10, 0);
  for (let i = 0; i < 4; i++) {
    v.setUint8(at + IPV4_SRC_AT + i, header.src[i]!);
    v.setUint8(at + IPV4_DST_AT + i, header.dst[i]!);
  }
  for (let i = 0; i < header.options.length; i++) v.setUint8(at + IPV4_MIN_LEN + i, header.options[i]!);
  v.setUint16(at + 10, finishChecksum(sumWords(v, at, headerLen, 0)));
}

function copy(v: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(v.buffer, v.byteOffset + at, length).slice();
}
