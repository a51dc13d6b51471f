/**
 * Lowers the MSS of a SYN so that the segments of both directions fit an MTU: MTU - 40, over IPv6 MTU - 60 (RFC 6691). Pieces and
 * packets with extension headers are left alone: their senders do path MTU discovery or know what they do.
 */
import { ipVersion, ipv4HeaderLen, ipv4IsFragment } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_LEN } from '@vrouter/wire/ipv6/ipv6.ts';
import { clampTcpMss, TCP_MIN_LEN } from '@vrouter/wire/tcp/tcp.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';

const HEADERS4 = 40;
const HEADERS6 = IPV6_LEN + TCP_MIN_LEN;

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
