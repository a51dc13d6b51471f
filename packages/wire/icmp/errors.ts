/**
 * ICMP error messages, RFC 792 (IPv4) and RFC 4443 section 3 (IPv6). All have one shape: eight bytes, of which the last four say
 * something of their own (the MTU of the next hop: RFC 1191 section 4, RFC 4443 section 3.2), then as much of the offending packet
 * as fits.
 *
 *   |     Type      |     Code      |          Checksum             |
 *   |        Unused, or the MTU of the next hop                     |
 *   |     The offending packet, from its IP header on ...
 */
import { finishChecksum, sumWords } from '../checksum/checksum.ts';
import { checkIcmp, IcmpFault, icmpCode, icmpType } from './icmp.ts';

/** Bytes before the offending packet. */
export const ICMP_ERROR_LEN = 8;
/** Longest IP packet that carries an error: RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 (c). */
export const ICMP_ERROR_MAX_PACKET = 576;
export const ICMPV6_ERROR_MAX_PACKET = 1280;

/** Types of errors. IPv4: RFC 792; source quench (4) is obsolete and only recognised. */
export const IcmpErrorType = {
  unreachable: 3,
  sourceQuench: 4,
  redirect: 5,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;
/** Types of IPv6 errors; all below 128 are errors, also unknown ones (RFC 4443 section 2.1). */
export const Icmpv6ErrorType = { unreachable: 1, packetTooBig: 2, timeExceeded: 3, parameterProblem: 4 } as const;

/** Codes of "destination unreachable": RFC 792, RFC 1191, RFC 1812 section 5.2.7.1. */
export const UnreachableCode = {
  net: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  prohibited: 13,
} as const;
/** The same for IPv6, RFC 4443 section 3.1. */
export const Unreachable6Code = { noRoute: 0, prohibited: 1, address: 3, port: 4 } as const;

/** IPv4 types that are questions and answers, to which errors may be sent (RFC 1122 section 3.2.2). All others are taken for errors. */
export function icmpIsQuery(type: number): boolean {
  return type === 0 || (type >= 8 && type <= 10) || (type >= 13 && type <= 18);
}

/** RFC 4443 section 2.1: the high bit tells questions from errors. A redirect (RFC 4861) is treated as an error. */
export function icmpv6IsQuery(type: number): boolean {
  return type >= 128 && type !== 137;
}

/** The MTU that a fragmentation-needed (low half) or a packet-too-big message (all 32 bits) carries. */
export const icmpMtu4 = (v: DataView, at: number): number => v.getUint16(at + 6);
export const icmpMtu6 = (v: DataView, at: number): number => v.getUint32(at + 4);

export interface IcmpError {
  readonly family: 4 | 6;
  readonly type: number;
  readonly code: number;
  /** The four bytes after the checksum. */
  readonly rest: number;
  /** What is there of the offending packet. */
  readonly quote: Uint8Array;
}

/** Null when refused by `checkIcmp` or when it is no error. The quote is a copy. */
export function parseIcmpError(
  family: 4 | 6,
  v: DataView,
  at: number,
  end: number,
  pseudoSum: number,
): IcmpError | null {
  if (checkIcmp(v, at, end, pseudoSum) !== IcmpFault.none) return null;
  const type = icmpType(v, at);
  if (family === 4 ? icmpIsQuery(type) : type >= 128) return null;
  const quote = new Uint8Array(v.buffer, v.byteOffset + at + ICMP_ERROR_LEN, end - at - ICMP_ERROR_LEN).slice();
  return { family, type, code: icmpCode(v, at), rest: v.getUint32(at + 4), quote };
}

/** Writes the eight bytes before a quote of `quoteLength` that already stands behind them, with the checksum of all. */
export function emitIcmpErrorHeader(
  v: DataView,
  at: number,
  type: number,
  code: number,
  rest: number,
  quoteLength: number,
  pseudoSum: number,
): void {
  v.setUint8(at, type);
  v.setUint8(at + 1, code);
  v.setUint16(at + 2, 0);
  v.setUint32(at + 4, rest);
  v.setUint16(at + 2, finishChecksum(sumWords(v, at, ICMP_ERROR_LEN + quoteLength, pseudoSum)));
}

/** Bytes that `emitIcmpError` writes. */
export function icmpErrorLen(error: IcmpError): number {
  return ICMP_ERROR_LEN + error.quote.length;
}

/** Writes the whole message with its checksum. */
export function emitIcmpError(error: IcmpError, v: DataView, at: number, pseudoSum: number): void {
  new Uint8Array(v.buffer, v.byteOffset + at + ICMP_ERROR_LEN, error.quote.length).set(error.quote);
  emitIcmpErrorHeader(v, at, error.type, error.code, error.rest, error.quote.length, pseudoSum);
}
