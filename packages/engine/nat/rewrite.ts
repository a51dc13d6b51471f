/**
 * The bytes that a translation changes: one address and one port, and every sum that covers them. `way` tells whether it is the source
 * (the way out) or the destination (the way in) of the packet.
 */
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { TCP_CHECKSUM_AT } from '@vrouter/wire/tcp/tcp.ts';
import { addWord, gainAt, gainChecksum, gainUdpAt, wordsDelta } from './checksums.ts';
import { type Flow, FlowKind } from './flow.ts';

const IP_CHECKSUM_AT = 10;
const IP_SRC_AT = 12;
const IP_DST_AT = 16;
const UDP_CHECKSUM_AT = 6;
const ICMP_CHECKSUM_AT = 2;
const ICMP_IDENTIFIER_AT = 4;

/** Writes an address and its sum. */
export function rewriteAddress(view: DataView, at: number, isSource: boolean, address: number, ipDelta: number): void {
  view.setInt32(at + (isSource ? IP_SRC_AT : IP_DST_AT), address);
  gainAt(view, at + IP_CHECKSUM_AT, ipDelta);
}

/** Writes an address and a port of a packet; `transportDelta` is what the sum of its transport header gains. */
export function rewriteEndpoint(
  view: DataView,
  flow: Flow,
  isSource: boolean,
  address: number,
  port: number,
  ipDelta: number,
  transportDelta: number,
): void {
  rewriteAddress(view, flow.at, isSource, address, ipDelta);
  const at = flow.transport;
  if (flow.protocol === IpProtocol.icmp) {
    view.setUint16(at + ICMP_IDENTIFIER_AT, port);
    gainAt(view, at + ICMP_CHECKSUM_AT, transportDelta);
    return;
  }
  view.setUint16(at + (isSource ? 0 : 2), port);
  if (flow.protocol === IpProtocol.udp) gainUdpAt(view, at + UDP_CHECKSUM_AT, transportDelta);
  else gainAt(view, at + TCP_CHECKSUM_AT, transportDelta);
}

/**
 * Writes an address and a port of the packet that an ICMP error carries, its sums as far as they are there, and then the sum of the
 * ICMP message at `icmp` (RFC 5508 section 4.2). All of these stand at even places of the message.
 */
export function rewriteQuoted(
  view: DataView,
  icmp: number,
  end: number,
  quoted: Flow,
  isSource: boolean,
  address: number,
  port: number,
  ipDelta: number,
  transportDelta: number,
): void {
  const addressAt = quoted.at + (isSource ? IP_SRC_AT : IP_DST_AT);
  const isIcmp = quoted.protocol === IpProtocol.icmp;
  const portAt = quoted.transport + (isIcmp ? ICMP_IDENTIFIER_AT : isSource ? 0 : 2);
  const sumAt =
    quoted.transport +
    (isIcmp ? ICMP_CHECKSUM_AT : quoted.protocol === IpProtocol.udp ? UDP_CHECKSUM_AT : TCP_CHECKSUM_AT);
  let delta = wordsDelta(view.getInt32(addressAt), address);
  view.setInt32(addressAt, address);
  delta = addWord(
    delta,
    writeWord(view, quoted.at + IP_CHECKSUM_AT, gainChecksum(view.getUint16(quoted.at + IP_CHECKSUM_AT), ipDelta)),
  );
  delta = addWord(delta, writeWord(view, portAt, port));
  // A TCP header is often cut off before its sum.
  if (sumAt + 2 <= end) {
    const before = view.getUint16(sumAt);
    const isUdp = quoted.protocol === IpProtocol.udp;
    if (isUdp) gainUdpAt(view, sumAt, transportDelta);
    else gainAt(view, sumAt, transportDelta);
    delta = addWord(delta, addWord(~before & 0xffff, view.getUint16(sumAt)));
  }
  gainAt(view, icmp + ICMP_CHECKSUM_AT, delta);
}

/** Where the sum of a transport header stands that covers the addresses too; -1: none does (ICMP, SCTP, ESP, GRE and others). */
function pseudoSumAt(protocol: number): number {
  switch (protocol) {
    case IpProtocol.tcp:
      return TCP_CHECKSUM_AT;
    case IpProtocol.udp:
    // DCCP (RFC 4340 section 9.1) and UDP-Lite (RFC 3828 section 3.1).
    case 33:
    case 136:
      return UDP_CHECKSUM_AT;
    default:
      return -1;
  }
}

/** Writes an address of a packet that is not a later piece, and the sums over it; ports stay. */
export function rewriteHost(
  view: DataView,
  flow: Flow,
  end: number,
  isSource: boolean,
  address: number,
  delta: number,
): void {
  rewriteAddress(view, flow.at, isSource, address, delta);
  const sum = pseudoSumAt(flow.protocol);
  const at = flow.transport + sum;
  if (sum < 0 || at + 2 > end) return;
  if (flow.protocol === IpProtocol.udp) gainUdpAt(view, at, delta);
  else gainAt(view, at, delta);
}

/** As `rewriteQuoted` where the address alone becomes another; the packet may be cut anywhere behind its IP header. */
export function rewriteQuotedHost(
  view: DataView,
  icmp: number,
  end: number,
  quoted: Flow,
  isSource: boolean,
  address: number,
  delta: number,
): void {
  const addressAt = quoted.at + (isSource ? IP_SRC_AT : IP_DST_AT);
  let gained = wordsDelta(view.getInt32(addressAt), address);
  view.setInt32(addressAt, address);
  const sumAt = quoted.at + IP_CHECKSUM_AT;
  gained = addWord(gained, writeWord(view, sumAt, gainChecksum(view.getUint16(sumAt), delta)));
  const transportSum = pseudoSumAt(quoted.protocol);
  const at = quoted.transport + transportSum;
  if (transportSum >= 0 && quoted.kind !== FlowKind.piece && at + 2 <= end) {
    const before = view.getUint16(at);
    if (quoted.protocol === IpProtocol.udp) gainUdpAt(view, at, delta);
    else gainAt(view, at, delta);
    gained = addWord(gained, addWord(~before & 0xffff, view.getUint16(at)));
  }
  gainAt(view, icmp + ICMP_CHECKSUM_AT, gained);
}

/** Writes a word; what a sum over it gains. */
function writeWord(view: DataView, at: number, value: number): number {
  const before = view.getUint16(at);
  view.setUint16(at, value);
  return addWord(~before & 0xffff, value);
}
