/**
 * UDP, RFC 768; over IPv6 RFC 8200 section 8.1.
 *
 *   |          Source Port          |       Destination Port        |
 *   |            Length             |           Checksum            |
 */
import { finishChecksum, sumWords } from '../checksum/checksum.ts';

export const UDP_LEN = 8;
/** Where the checksum stands. */
export const UDP_CHECKSUM_AT = 6;

/** Why a datagram is refused. 0 is fine. */
export const UdpFault = { none: 0, short: 1, length: 2, checksum: 3 } as const;
export type UdpFault = (typeof UdpFault)[keyof typeof UdpFault];

export const udpSrc = (v: DataView, at: number): number => v.getUint16(at);
export const udpDst = (v: DataView, at: number): number => v.getUint16(at + 2);
/** Bytes, header included. */
export const udpLength = (v: DataView, at: number): number => v.getUint16(at + 4);
export const udpChecksum = (v: DataView, at: number): number => v.getUint16(at + 6);

/** The guard: afterwards no accessor can fail and the datagram lies before `end`. */
export function checkUdp(v: DataView, at: number, end: number): UdpFault {
  if (end - at < UDP_LEN) return UdpFault.short;
  const length = udpLength(v, at);
  return length < UDP_LEN || length > end - at ? UdpFault.length : UdpFault.none;
}

/**
 * The second guard, for those who look inside. `pseudoSum` comes from `sumPseudoHeader` with the UDP length. A checksum of 0 means
 * that the sender made none, which only IPv4 allows.
 */
export function checkUdpSum(v: DataView, at: number, family: 4 | 6, pseudoSum: number): UdpFault {
  if (udpChecksum(v, at) === 0) return family === 4 ? UdpFault.none : UdpFault.checksum;
  return finishChecksum(sumWords(v, at, udpLength(v, at), pseudoSum)) === 0 ? UdpFault.none : UdpFault.checksum;
}

export interface UdpHeader {
  readonly src: number;
  readonly dst: number;
  readonly payloadLength: number;
}

/** Null when `checkUdp` or `checkUdpSum` refuses; they tell why. */
export function parseUdp(v: DataView, at: number, end: number, family: 4 | 6, pseudoSum: number): UdpHeader | null {
  if (checkUdp(v, at, end) !== UdpFault.none || checkUdpSum(v, at, family, pseudoSum) !== UdpFault.none) return null;
  return { src: udpSrc(v, at), dst: udpDst(v, at), payloadLength: udpLength(v, at) - UDP_LEN };
}

/** Writes the header before a payload that already stands behind it. A sum of 0 goes out as 0xffff, which means the same. */
export function emitUdp(header: UdpHeader, v: DataView, at: number, pseudoSum: number): void {
  v.setUint16(at, header.src);
  v.setUint16(at + 2, header.dst);
  v.setUint16(at + 4, UDP_LEN + header.payloadLength);
  v.setUint16(at + 6, 0);
  v.setUint16(at + 6, finishChecksum(sumWords(v, at, UDP_LEN + header.payloadLength, pseudoSum)) || 0xffff);
}
