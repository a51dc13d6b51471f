/**
 * Lowers the MSS of a SYN so that the segments of both directions fit an MTU: MTU - 40, over IPv6 MTU - 60 (RFC 6691). Pieces and
 * packets with extension headers are left alone: their senders do path MTU discovery or know what they do.
 */
import { updateChecksum } from '@vrouter/wire/checksum/checksum.ts';
import { ipVersion, ipv4HeaderLen, ipv4IsFragment } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_LEN } from '@vrouter/wire/ipv6/ipv6.ts';
import {
  checkTcp,
  TCP_CHECKSUM_AT,
  TCP_MIN_LEN,
  TcpFault,
  TcpFlag,
  TcpOption,
  tcpChecksum,
  tcpFlags,
  tcpOption,
} from '@vrouter/wire/tcp/tcp.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';

const HEADERS4 = 40;
const HEADERS6 = IPV6_LEN + TCP_MIN_LEN;
const MSS_LEN = 4;

/** For packets of TCP, which the caller has seen. Returns whether the packet was changed. */
export function clampMss(batch: PacketBatch, row: number, mtu: number): boolean {
  const { view } = batch.region[row]!;
  const at = batch.offset[row]!;
  const end = at + batch.length[row]!;
  if (ipVersion(view, at) === 4) {
    if (ipv4IsFragment(view, at)) return false;
    return clampTcpMss(view, at + ipv4HeaderLen(view, at), end, mtu - HEADERS4);
  }
  return clampTcpMss(view, at + IPV6_LEN, end, mtu - HEADERS6);
}

/**
 * Lowers the MSS of a SYN to `most` where it is larger, and mends the checksum (RFC 1624). Returns whether it did. A header that makes no
 * sense stays as it is.
 */
export function clampTcpMss(v: DataView, at: number, end: number, most: number): boolean {
  if (checkTcp(v, at, end) !== TcpFault.none || (tcpFlags(v, at) & TcpFlag.syn) === 0) return false;
  const option = tcpOption(v, at, TcpOption.maximumSegmentSize);
  if (option < 0 || v.getUint8(option + 1) !== MSS_LEN) return false;
  const value = option + 2;
  const before = v.getUint16(value);
  if (before <= most) return false;
  v.setUint16(value, most);
  // At an odd place the halves belong to two words; a sum of swapped bytes is the swapped sum (RFC 1071 section 2).
  const odd = ((value - at) & 1) === 1;
  const checksum = tcpChecksum(v, at);
  v.setUint16(
    at + TCP_CHECKSUM_AT,
    odd ? updateChecksum(checksum, swap(before), swap(most)) : updateChecksum(checksum, before, most),
  );
  return true;
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
