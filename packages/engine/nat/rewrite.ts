/**
 * The bytes that a translation changes: one address and one port, and every sum that covers them. `way` tells whether it is the source
 * (the way out) or the destination (the way in) of the packet.
 */
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { TCP_CHECKSUM_AT } from '@vrouter/wire/tcp/tcp.ts';
import { addWord, gainAt, gainChecksum, gainUdpAt, wordsDelta } from './checksums.ts';
import type { Flow } from './flow.ts';

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

/** Writes a word; what a sum over it gains. */
function writeWord(view: DataView, at: number, value: number): number {
  const before = view.getUint16(at);
  view.setUint16(at, value);
  return addWord(~before & 0xffff, value);
}
