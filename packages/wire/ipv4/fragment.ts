/** Pieces of IPv4 datagrams, RFC 791 section 3.2: where they belong, and which options go into which piece. */
import { IPV4_MIN_LEN, ipv4HeaderLen } from './ipv4.ts';

const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
/** Options with this bit are copied into every piece (RFC 791 section 3.1). */
const COPIED = 0x80;

/** Bytes of the datagram's payload before this piece. */
export const ipv4FragmentOffset = (v: DataView, at: number): number => (v.getUint16(at + 6) & 0x1fff) * 8;
export const ipv4MoreFragments = (v: DataView, at: number): boolean => (v.getUint8(at + 6) & 0x20) !== 0;

/**
 * Writes the options that every piece but the first carries to `to`, padded to a multiple of 4. Returns their bytes, -1 when the
 * options make no sense. At most as long as the options that are there.
 */
export function copyFragmentOptions(v: DataView, at: number, into: Uint8Array, to: number): number {
  const end = at + ipv4HeaderLen(v, at);
  let option = at + IPV4_MIN_LEN;
  let written = 0;
  while (option < end) {
    const type = v.getUint8(option);
    if (type === END_OF_OPTIONS) break;
    if (type === NO_OPERATION) {
      option++;
      continue;
    }
    const length = option + 1 < end ? v.getUint8(option + 1) : 0;
    if (length < 2 || option + length > end) return -1;
    if ((type & COPIED) !== 0) for (let i = 0; i < length; i++) into[to + written++] = v.getUint8(option + i);
    option += length;
  }
  while ((written & 3) !== 0) into[to + written++] = END_OF_OPTIONS;
  return written;
}
