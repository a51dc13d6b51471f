/**
 * What a router looks at in a TCP header (RFC 9293 section 3.1): the flags, and of the options the maximum segment size, which only
 * segments with SYN carry (section 3.2).
 *
 *   |          Source Port          |       Destination Port        |
 *   |                        Sequence Number                        |
 *   |                    Acknowledgment Number                      |
 *   | Offset|Rsrvd| Flags           |            Window             |
 *   |           Checksum            |         Urgent Pointer        |
 *   |           Options ...
 */
import { updateChecksum } from '../checksum/checksum.ts';

export const TCP_MIN_LEN = 20;
const SYN = 0x02;
const CHECKSUM_AT = 16;
const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
const MSS = 2;
const MSS_LEN = 4;

/** Whether the header is all there, data offset included, and has SYN. Afterwards no accessor can fail. */
export function tcpIsSyn(v: DataView, at: number, end: number): boolean {
  if (end - at < TCP_MIN_LEN || (v.getUint8(at + 13) & SYN) === 0) return false;
  const headerLen = (v.getUint8(at + 12) >>> 4) * 4;
  return headerLen >= TCP_MIN_LEN && headerLen <= end - at;
}

/** Where the value of the MSS option stands, 0 when there is none; malformed options end the search. After `tcpIsSyn`. */
export function tcpMssAt(v: DataView, at: number): number {
  const end = at + (v.getUint8(at + 12) >>> 4) * 4;
  let option = at + TCP_MIN_LEN;
  while (option < end) {
    const kind = v.getUint8(option);
    if (kind === END_OF_OPTIONS) return 0;
    if (kind === NO_OPERATION) {
      option++;
      continue;
    }
    if (option + 1 >= end) return 0;
    const length = v.getUint8(option + 1);
    if (length < 2 || option + length > end) return 0;
    if (kind === MSS) return length === MSS_LEN ? option + 2 : 0;
    option += length;
  }
  return 0;
}

/** Lowers the MSS of a SYN to `most` where it is larger, and mends the checksum (RFC 1624). Returns whether it did. */
export function clampTcpMss(v: DataView, at: number, end: number, most: number): boolean {
  if (!tcpIsSyn(v, at, end)) return false;
  const value = tcpMssAt(v, at);
  if (value === 0) return false;
  const before = v.getUint16(value);
  if (before <= most) return false;
  v.setUint16(value, most);
  // At an odd place the halves belong to two words; a sum of swapped bytes is the swapped sum (RFC 1071 section 2).
  const odd = ((value - at) & 1) === 1;
  const checksum = v.getUint16(at + CHECKSUM_AT);
  v.setUint16(
    at + CHECKSUM_AT,
    odd ? updateChecksum(checksum, swap(before), swap(most)) : updateChecksum(checksum, before, most),
  );
  return true;
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
