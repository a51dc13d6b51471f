/**
 * What a session has seen, as bits, and what that makes of its life. Of TCP (RFC 5382 section 5, RFC 9293 section 3.3.2):
 *
 *   opening  -> established   both sides heard, then a segment without SYN
 *   any      -> closing       RST, or FIN from both sides
 *   closing  -> established   after RST only: the inside goes on, so the RST was somebody else's
 *   closing  -> opening       SYN: the ports are used again
 */
import { TcpFlag } from '@vrouter/wire/tcp/tcp.ts';

export const Seen = { outbound: 1, inbound: 2, finOutbound: 4, finInbound: 8, rst: 16, open: 32 } as const;

const BOTH = Seen.outbound | Seen.inbound;
const BOTH_FINS = Seen.finOutbound | Seen.finInbound;

/** What has been seen after one more segment. */
export function seeSegment(before: number, flags: number, outbound: boolean): number {
  let seen = before;
  const syn = (flags & TcpFlag.syn) !== 0;
  if (syn && isClosing(seen)) seen = 0;
  if ((flags & TcpFlag.rst) !== 0) return seen | Seen.rst;
  if (outbound) seen &= ~Seen.rst;
  if ((flags & TcpFlag.fin) !== 0) seen |= outbound ? Seen.finOutbound : Seen.finInbound;
  seen |= outbound ? Seen.outbound : Seen.inbound;
  return !syn && (seen & BOTH) === BOTH ? seen | Seen.open : seen;
}

/** What has been seen after one more packet of a protocol without states. */
export function seePacket(before: number, outbound: boolean): number {
  return before | (outbound ? Seen.outbound : Seen.inbound);
}

export function isClosing(seen: number): boolean {
  return (seen & Seen.rst) !== 0 || (seen & BOTH_FINS) === BOTH_FINS;
}

export function isEstablished(seen: number): boolean {
  return (seen & Seen.open) !== 0 && !isClosing(seen);
}

export function isTwoWay(seen: number): boolean {
  return (seen & BOTH) === BOTH;
}
