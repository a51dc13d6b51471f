/**
 * TCP header, RFC 9293 section 3.1.
 *
 *   |          Source Port          |       Destination Port        |
 *   |                        Sequence Number                        |
 *   |                    Acknowledgment Number                      |
 *   | Offset| Rsrvd |C|E|U|A|P|R|S|F|            Window             |
 *   |           Checksum            |         Urgent Pointer        |
 *   |                           [Options]                           |
 */
import { finishChecksum, sumWords } from '../checksum/checksum.ts';

/** Bytes of a header without options. */
export const TCP_MIN_LEN = 20;
/** Where the checksum stands. */
export const TCP_CHECKSUM_AT = 16;

/** Control bits, section 3.1. */
export const TcpFlag = {
  fin: 0x01,
  syn: 0x02,
  rst: 0x04,
  psh: 0x08,
  ack: 0x10,
  urg: 0x20,
  ece: 0x40,
  cwr: 0x80,
} as const;

/** Option kinds that somebody here looks at, section 3.2. */
export const TcpOption = { end: 0, noOperation: 1, maximumSegmentSize: 2 } as const;

/** Why a segment is refused. 0 is fine. */
export const TcpFault = { none: 0, short: 1, dataOffset: 2, checksum: 3 } as const;
export type TcpFault = (typeof TcpFault)[keyof typeof TcpFault];

export const tcpSrc = (v: DataView, at: number): number => v.getUint16(at);
export const tcpDst = (v: DataView, at: number): number => v.getUint16(at + 2);
export const tcpSeq = (v: DataView, at: number): number => v.getUint32(at + 4);
export const tcpAck = (v: DataView, at: number): number => v.getUint32(at + 8);
/** Bytes, options included. */
export const tcpHeaderLen = (v: DataView, at: number): number => (v.getUint8(at + 12) >>> 4) * 4;
/** The eight control bits, `TcpFlag`. */
export const tcpFlags = (v: DataView, at: number): number => v.getUint8(at + 13);
export const tcpWindow = (v: DataView, at: number): number => v.getUint16(at + 14);
export const tcpChecksum = (v: DataView, at: number): number => v.getUint16(at + TCP_CHECKSUM_AT);
export const tcpUrgent = (v: DataView, at: number): number => v.getUint16(at + 18);

/** The guard: after it no accessor can fail and the whole header lies before `end`. */
export function checkTcp(v: DataView, at: number, end: number): TcpFault {
  if (end - at < TCP_MIN_LEN) return TcpFault.short;
  const headerLen = tcpHeaderLen(v, at);
  return headerLen < TCP_MIN_LEN || headerLen > end - at ? TcpFault.dataOffset : TcpFault.none;
}

/** The second guard, for those who look inside: the sum over header and data. `pseudoSum` comes from `sumPseudoHeader`. */
export function checkTcpSum(v: DataView, at: number, end: number, pseudoSum: number): TcpFault {
  return finishChecksum(sumWords(v, at, end - at, pseudoSum)) === 0 ? TcpFault.none : TcpFault.checksum;
}

/**
 * Where the first option of this kind starts (its kind byte), -1 when there is none. `checkTcp` must have passed. A walk ends at the end
 * of the header, at "end of option list", and at a length that is none or leaves the header; an option found lies whole within it.
 */
export function tcpOption(v: DataView, at: number, kind: number): number {
  const end = at + tcpHeaderLen(v, at);
  for (let p = at + TCP_MIN_LEN; p < end; ) {
    const found = v.getUint8(p);
    if (found === TcpOption.end) return -1;
    if (found === TcpOption.noOperation) {
      p++;
      continue;
    }
    if (p + 1 >= end) return -1;
    const length = v.getUint8(p + 1);
    if (length < 2 || p + length > end) return -1;
    if (found === kind) return p;
    p += length;
  }
  return -1;
}

export interface TcpHeader {
  readonly src: number;
  readonly dst: number;
  readonly seq: number;
  readonly ack: number;
  /** `TcpFlag` bits. */
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  /** As on the wire, padded to a multiple of 4; at most 40 bytes. */
  readonly options: Uint8Array;
  readonly payloadLength: number;
}

/** Null when `checkTcp` or `checkTcpSum` refuses; they tell why. The options are a copy. Reserved bits are not kept. */
export function parseTcp(v: DataView, at: number, end: number, pseudoSum: number): TcpHeader | null {
  if (checkTcp(v, at, end) !== TcpFault.none || checkTcpSum(v, at, end, pseudoSum) !== TcpFault.none) return null;
  const headerLen = tcpHeaderLen(v, at);
  return {
    src: tcpSrc(v, at),
    dst: tcpDst(v, at),
    seq: tcpSeq(v, at),
    ack: tcpAck(v, at),
    flags: tcpFlags(v, at),
    window: tcpWindow(v, at),
    urgent: tcpUrgent(v, at),
    options: new Uint8Array(v.buffer, v.byteOffset + at + TCP_MIN_LEN, headerLen - TCP_MIN_LEN).slice(),
    payloadLength: end - at - headerLen,
  };
}

/** Bytes that `emitTcp` writes. */
export function tcpLen(header: TcpHeader): number {
  return TCP_MIN_LEN + header.options.length;
}

/** Writes the header before a payload that already stands behind it. Throws RangeError on what no header can say. */
export function emitTcp(header: TcpHeader, v: DataView, at: number, pseudoSum: number): void {
  const headerLen = tcpLen(header);
  if (header.options.length > 40 || header.options.length % 4 !== 0)
    throw new RangeError('options: 0 to 40 bytes, by 4');
  v.setUint16(at, header.src);
  v.setUint16(at + 2, header.dst);
  v.setUint32(at + 4, header.seq);
  v.setUint32(at + 8, header.ack);
  v.setUint8(at + 12, (headerLen / 4) << 4);
  v.setUint8(at + 13, header.flags);
  v.setUint16(at + 14, header.window);
  v.setUint16(at + TCP_CHECKSUM_AT, 0);
  v.setUint16(at + 18, header.urgent);
  for (let i = 0; i < header.options.length; i++) v.setUint8(at + TCP_MIN_LEN + i, header.options[i]!);
  v.setUint16(at + TCP_CHECKSUM_AT, finishChecksum(sumWords(v, at, headerLen + header.payloadLength, pseudoSum)));
}
