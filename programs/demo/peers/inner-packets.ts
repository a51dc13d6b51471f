/** UDP datagrams and echo requests as whole IP packets, built and read with the codecs: the small IP stack of a demo peer. */
import type { IpBytes } from '@vrouter/core/ip.ts';
import { sumPseudoHeader } from '@vrouter/wire/checksum/checksum.ts';
import { emitIcmpEcho, ICMP_ECHO_LEN, type IcmpEcho, parseIcmpEcho } from '@vrouter/wire/icmp/icmp.ts';
import { emitIpv4, IPV4_MIN_LEN, IPV4_SRC_AT, ipVersion, ipv4HeaderLen, parseIpv4 } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { emitIpv6, IPV6_LEN, IPV6_SRC_AT, parseIpv6 } from '@vrouter/wire/ipv6/ipv6.ts';
import { emitUdp, parseUdp, UDP_LEN } from '@vrouter/wire/udp/udp.ts';

const TTL = 64;

export type Inner =
  | { readonly kind: 'udp'; readonly src: IpBytes; readonly dstPort: number; readonly payload: Uint8Array }
  | { readonly kind: 'echo'; readonly src: IpBytes; readonly echo: IcmpEcho }
  | { readonly kind: 'other' };

/** Writes a UDP packet at `at`; returns its length. */
export function emitUdpPacket(
  src: IpBytes,
  dst: IpBytes,
  port: number,
  payload: Uint8Array,
  view: DataView,
  at: number,
): number {
  const length = UDP_LEN + payload.length;
  const upperAt = emitIp(src, dst, IpProtocol.udp, length, view, at);
  new Uint8Array(view.buffer, view.byteOffset + upperAt + UDP_LEN, payload.length).set(payload);
  const sum = pseudoSum(src.length, view, at, IpProtocol.udp, length);
  emitUdp({ src: port, dst: port, payloadLength: payload.length }, view, upperAt, sum);
  return upperAt - at + length;
}

/** Writes an echo request at `at`; returns the packet's length. */
export function emitEchoRequest(src: IpBytes, dst: IpBytes, sequence: number, view: DataView, at: number): number {
  const family = src.length === 4 ? 4 : 6;
  const protocol = family === 4 ? IpProtocol.icmp : IpProtocol.icmpv6;
  const echo: IcmpEcho = { family, reply: false, identifier: 1, sequence, data: new Uint8Array(56) };
  const length = ICMP_ECHO_LEN + echo.data.length;
  const upperAt = emitIp(src, dst, protocol, length, view, at);
  // ICMPv4 has no pseudo-header, ICMPv6 does (RFC 4443 section 2.3).
  emitIcmpEcho(echo, view, upperAt, family === 4 ? 0 : pseudoSum(16, view, at, protocol, length));
  return upperAt - at + length;
}

/** Reads a packet; what is damaged or not for a demo peer is `other`. The payload is a copy. */
export function readInner(view: DataView, at: number, end: number): Inner {
  const header = ipVersion(view, at) === 4 ? parseIpv4(view, at, end) : parseIpv6(view, at, end);
  if (header === null) return { kind: 'other' };
  const isV4 = 'protocol' in header;
  const upperAt = at + (isV4 ? ipv4HeaderLen(view, at) : IPV6_LEN);
  const upperEnd = upperAt + header.payloadLength;
  const protocol = isV4 ? header.protocol : header.nextHeader;
  const family = isV4 ? 4 : 6;
  const sum = pseudoSum(header.src.length, view, at, protocol, header.payloadLength);
  if (protocol === IpProtocol.udp) {
    const udp = parseUdp(view, upperAt, upperEnd, family, sum);
    if (udp === null) return { kind: 'other' };
    const payload = new Uint8Array(view.buffer, view.byteOffset + upperAt + UDP_LEN, udp.payloadLength).slice();
    return { kind: 'udp', src: header.src, dstPort: udp.dst, payload };
  }
  if (protocol === (isV4 ? IpProtocol.icmp : IpProtocol.icmpv6)) {
    const echo = parseIcmpEcho(family, view, upperAt, upperEnd, isV4 ? 0 : sum);
    if (echo !== null) return { kind: 'echo', src: header.src, echo };
  }
  return { kind: 'other' };
}

function emitIp(
  src: IpBytes,
  dst: IpBytes,
  protocol: number,
  payloadLength: number,
  view: DataView,
  at: number,
): number {
  if (src.length === 16) {
    const header = { trafficClass: 0, flowLabel: 0, payloadLength, nextHeader: protocol, hopLimit: TTL, src, dst };
    emitIpv6(header, view, at);
    return at + IPV6_LEN;
  }
  const flags = { dontFragment: true, moreFragments: false, fragmentOffset: 0, options: new Uint8Array(0) };
  emitIpv4({ dscp: 0, ecn: 0, id: 0, ttl: TTL, protocol, src, dst, payloadLength, ...flags }, view, at);
  return at + IPV4_MIN_LEN;
}

function pseudoSum(addressBytes: number, view: DataView, at: number, protocol: number, length: number): number {
  return addressBytes === 4
    ? sumPseudoHeader(view, at + IPV4_SRC_AT, 4, protocol, length)
    : sumPseudoHeader(view, at + IPV6_SRC_AT, 16, protocol, length);
}
