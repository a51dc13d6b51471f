/**
 * ICMP echo, RFC 792 page 14 and RFC 4443 section 4. The two families differ in type numbers and in the checksum: ICMPv6 also sums
 * the pseudo-header, so its callers hand in that sum (`sumPseudoHeader`); ICMPv4 callers hand in 0.
 *
 *   |     Type      |     Code      |          Checksum             |
 *   |           Identifier          |        Sequence Number        |
 *   |     Data ...
 */
import { finishChecksum, sumWords, updateChecksum } from '../checksum/checksum.ts';

/** Bytes before the data. */
export const ICMP_ECHO_LEN = 8;

/** Type numbers; the code is 0. */
export const IcmpType = { echoReply: 0, echoRequest: 8 } as const;
export const Icmpv6Type = { echoRequest: 128, echoReply: 129 } as const;

/** Why a message is refused. 0 is fine. */
export const IcmpFault = { none: 0, short: 1, checksum: 2 } as const;
export type IcmpFault = (typeof IcmpFault)[keyof typeof IcmpFault];

export const icmpType = (v: DataView, at: number): number => v.getUint8(at);
export const icmpCode = (v: DataView, at: number): number => v.getUint8(at + 1);
export const icmpEchoIdentifier = (v: DataView, at: number): number => v.getUint16(at + 4);
export const icmpEchoSequence = (v: DataView, at: number): number => v.getUint16(at + 6);

/** The guard for the whole message from `at` to `end`, checksum included. `pseudoSum` is 0 for ICMPv4. */
export function checkIcmp(v: DataView, at: number, end: number, pseudoSum: number): IcmpFault {
  if (end - at < ICMP_ECHO_LEN) return IcmpFault.short;
  return finishChecksum(sumWords(v, at, end - at, pseudoSum)) === 0 ? IcmpFault.none : IcmpFault.checksum;
}

/** Gives the message another type and mends its checksum: an echo request becomes its reply. */
export function setIcmpType(v: DataView, at: number, type: number): void {
  const before = v.getUint16(at);
  const after = (type << 8) | (before & 0xff);
  v.setUint16(at, after);
  v.setUint16(at + 2, updateChecksum(v.getUint16(at + 2), before, after));
}

export interface IcmpEcho {
  readonly family: 4 | 6;
  readonly reply: boolean;
  readonly identifier: number;
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** Null when refused by `checkIcmp` or when it is no echo. The data is a copy. */
export function parseIcmpEcho(family: 4 | 6, v: DataView, at: number, end: number, pseudoSum: number): IcmpEcho | null {
  if (checkIcmp(v, at, end, pseudoSum) !== IcmpFault.none || icmpCode(v, at) !== 0) return null;
  const types = family === 4 ? IcmpType : Icmpv6Type;
  const type = icmpType(v, at);
  if (type !== types.echoRequest && type !== types.echoReply) return null;
  return {
    family,
    reply: type === types.echoReply,
    identifier: icmpEchoIdentifier(v, at),
    sequence: icmpEchoSequence(v, at),
    data: new Uint8Array(v.buffer, v.byteOffset + at + ICMP_ECHO_LEN, end - at - ICMP_ECHO_LEN).slice(),
  };
}

/** Bytes that `emitIcmpEcho` writes. */
export function icmpEchoLen(echo: IcmpEcho): number {
  return ICMP_ECHO_LEN + echo.data.length;
}

/** Writes the whole message with its checksum. */
export function emitIcmpEcho(echo: IcmpEcho, v: DataView, at: number, pseudoSum: number): void {
  const types = echo.family === 4 ? IcmpType : Icmpv6Type;
  v.setUint8(at, echo.reply ? types.echoReply : types.echoRequest);
  v.setUint8(at + 1, 0);
  v.setUint16(at + 2, 0);
  v.setUint16(at + 4, echo.identifier);
  v.setUint16(at + 6, echo.sequence);
  new Uint8Array(v.buffer, v.byteOffset + at + ICMP_ECHO_LEN, echo.data.length).set(echo.data);
  v.setUint16(at + 2, finishChecksum(sumWords(v, at, icmpEchoLen(echo), pseudoSum)));
}
