/**
 * IPv6 header, RFC 8200 section 3.
 *
 *    0                   1                   2                   3
 *   |Version| Traffic Class |           Flow Label                  |
 *   |         Payload Length        |  Next Header  |   Hop Limit   |
 *   |                 Source Address, 16 bytes                      |
 *   |               Destination Address, 16 bytes                   |
 */
import type { IpBytes } from '@vrouter/core/ip.ts';

/** Bytes of the fixed header; extension headers belong to the payload. */
export const IPV6_LEN = 40;
/** Where the next header stands, for those who look without a view. */
export const IPV6_NEXT_HEADER_AT = 6;
/** Where the source stands; the destination follows it. */
export const IPV6_SRC_AT = 8;
export const IPV6_DST_AT = 24;

/** Why a header is refused. 0 is fine. */
export const Ipv6Fault = { none: 0, short: 1, version: 2, payloadLength: 3 } as const;
export type Ipv6Fault = (typeof Ipv6Fault)[keyof typeof Ipv6Fault];

/** Bytes after the fixed header, extension headers included. */
export const ipv6PayloadLen = (v: DataView, at: number): number => v.getUint16(at + 4);
export const ipv6NextHeader = (v: DataView, at: number): number => v.getUint8(at + 6);
export const ipv6HopLimit = (v: DataView, at: number): number => v.getUint8(at + 7);
export const setIpv6HopLimit = (v: DataView, at: number, hops: number): void => v.setUint8(at + 7, hops);

/** The guard: after it no accessor can fail on `at`, and the whole packet lies before `end`. */
export function checkIpv6(v: DataView, at: number, end: number): Ipv6Fault {
  if (end - at < IPV6_LEN) return Ipv6Fault.short;
  if (v.getUint8(at) >>> 4 !== 6) return Ipv6Fault.version;
  return ipv6PayloadLen(v, at) > end - at - IPV6_LEN ? Ipv6Fault.payloadLength : Ipv6Fault.none;
}

/** Swaps source and destination; no upper checksum changes, since a sum does not know order. */
export function swapIpv6Addresses(v: DataView, at: number): void {
  for (let i = 0; i < 16; i += 4) {
    const src = v.getUint32(at + IPV6_SRC_AT + i);
    v.setUint32(at + IPV6_SRC_AT + i, v.getUint32(at + IPV6_DST_AT + i));
    v.setUint32(at + IPV6_DST_AT + i, src);
  }
}

export interface Ipv6Header {
  /** DSCP and ECN, 0-255. */
  readonly trafficClass: number;
  /** 20 bits, RFC 6437. */
  readonly flowLabel: number;
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly src: IpBytes;
  readonly dst: IpBytes;
}

/** Null when `checkIpv6` refuses; it tells why. The addresses are copies. */
export function parseIpv6(v: DataView, at: number, end: number): Ipv6Header | null {
  if (checkIpv6(v, at, end) !== Ipv6Fault.none) return null;
  const word = v.getUint32(at);
  const base = v.byteOffset + at;
  return {
    trafficClass: (word >>> 20) & 0xff,
    flowLabel: word & 0xfffff,
    payloadLength: ipv6PayloadLen(v, at),
    nextHeader: ipv6NextHeader(v, at),
    hopLimit: ipv6HopLimit(v, at),
    src: new Uint8Array(v.buffer, base + IPV6_SRC_AT, 16).slice(),
    dst: new Uint8Array(v.buffer, base + IPV6_DST_AT, 16).slice(),
  };
}

/** Writes the 40 bytes; the payload is the caller's. */
export function emitIpv6(header: Ipv6Header, v: DataView, at: number): void {
  v.setUint32(at, ((0x60000000 | (header.trafficClass << 20)) >>> 0) + header.flowLabel);
  v.setUint16(at + 4, header.payloadLength);
  v.setUint8(at + 6, header.nextHeader);
  v.setUint8(at + 7, header.hopLimit);
  for (let i = 0; i < 16; i++) {
    v.setUint8(at + IPV6_SRC_AT + i, header.src[i]!);
    v.setUint8(at + IPV6_DST_AT + i, header.dst[i]!);
  }
}
