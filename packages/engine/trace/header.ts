/** What a filter and a summary look at in an IP packet of either family that nobody has checked yet. */
import { formatIp } from '@vrouter/core/ip.ts';
import { IPV4_DST_AT, IPV4_MIN_LEN, IPV4_SRC_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { IPV6_DST_AT, IPV6_LEN, IPV6_SRC_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import type { PacketSummary } from '../control/trace-messages.ts';
import type { Region } from '../ports/datagram.ts';

export interface TraceHeader {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  /** -1 where the packet has none: other protocols, pieces of datagrams. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpType: number;
  readonly fragmentOffset: number;
  readonly ttl: number;
  /** What the header says, or what is there if that is less. */
  readonly length: number;
}

/** Extension headers that may stand between an IPv6 header and what it carries, RFC 8200 section 4.1, and AH, RFC 4302. */
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

/** Null when this is no IP packet. Never reads beyond `length`. */
export function readHeader(region: Region, at: number, length: number): TraceHeader | null {
  const version = length > 0 ? region.bytes[at]! >>> 4 : 0;
  if (version === 4 && length >= IPV4_MIN_LEN) return readIpv4(region, at, length);
  return version === 6 && length >= IPV6_LEN ? readIpv6(region, at, length) : null;
}

function readIpv4({ bytes, view }: Region, at: number, room: number): TraceHeader {
  const length = Math.min(room, view.getUint16(at + 2));
  const protocol = view.getUint8(at + 9);
  const fragmentOffset = (view.getUint16(at + 6) & 0x1fff) * 8;
  const upper = fragmentOffset === 0 ? at + (bytes[at]! & 0xf) * 4 : -1;
  return {
    source: bytes.slice(at + IPV4_SRC_AT, at + IPV4_DST_AT),
    destination: bytes.slice(at + IPV4_DST_AT, at + IPV4_MIN_LEN),
    protocol,
    ...readUpper(view, protocol, upper, at + length),
    fragmentOffset,
    ttl: view.getUint8(at + 8),
    length,
  };
}

function readIpv6({ bytes, view }: Region, at: number, room: number): TraceHeader {
  const length = Math.min(room, IPV6_LEN + view.getUint16(at + 4));
  const end = at + length;
  let protocol = view.getUint8(at + 6);
  let upper = at + IPV6_LEN;
  let fragmentOffset = 0;
  while (upper >= 0 && end - upper >= 8) {
    const next = view.getUint8(upper);
    if (protocol === FRAGMENT) {
      fragmentOffset = view.getUint16(upper + 2) & 0xfff8;
      upper = fragmentOffset === 0 ? upper + 8 : -1;
    } else if (protocol === AUTHENTICATION) upper += (view.getUint8(upper + 1) + 2) * 4;
    else if (protocol === HOP_BY_HOP || protocol === ROUTING || protocol === DESTINATION_OPTIONS)
      upper += (view.getUint8(upper + 1) + 1) * 8;
    else break;
    protocol = next;
  }
  return {
    source: bytes.slice(at + IPV6_SRC_AT, at + IPV6_DST_AT),
    destination: bytes.slice(at + IPV6_DST_AT, at + IPV6_LEN),
    protocol,
    ...readUpper(view, protocol, upper, end),
    fragmentOffset,
    ttl: view.getUint8(at + 7),
    length,
  };
}

function readUpper(
  view: DataView,
  protocol: number,
  at: number,
  end: number,
): Pick<TraceHeader, 'sourcePort' | 'destinationPort' | 'icmpType'> {
  const there = at >= 0 && end - at >= 4;
  const ports = there && (protocol === IpProtocol.tcp || protocol === IpProtocol.udp);
  const icmp = there && (protocol === IpProtocol.icmp || protocol === IpProtocol.icmpv6);
  return {
    sourcePort: ports ? view.getUint16(at) : -1,
    destinationPort: ports ? view.getUint16(at + 2) : -1,
    icmpType: icmp ? view.getUint8(at) : -1,
  };
}

const protocolNames = new Map<number, string>(Object.entries(IpProtocol).map(([name, number]) => [number, name]));

/** The header in words. */
export function summaryOf(header: TraceHeader): PacketSummary {
  return {
    source: formatIp(header.source),
    destination: formatIp(header.destination),
    protocol: protocolNames.get(header.protocol) ?? String(header.protocol),
    ...(header.sourcePort < 0 ? {} : { sourcePort: header.sourcePort, destinationPort: header.destinationPort }),
    ...(header.icmpType < 0 ? {} : { icmpType: header.icmpType }),
    ...(header.fragmentOffset === 0 ? {} : { fragmentOffset: header.fragmentOffset }),
    ttl: header.ttl,
    length: header.length,
  };
}

/** What a node changed, each as `before -> after`. */
export function changesOf(before: TraceHeader, after: TraceHeader): { [name: string]: string } {
  const changes: { [name: string]: string } = {};
  const put = (name: string, from: string | number, to: string | number): void => {
    if (from !== to) changes[name] = `${from} -> ${to}`;
  };
  put('source', formatIp(before.source), formatIp(after.source));
  put('destination', formatIp(before.destination), formatIp(after.destination));
  put('protocol', before.protocol, after.protocol);
  if (after.sourcePort >= 0 && before.sourcePort >= 0) {
    put('sourcePort', before.sourcePort, after.sourcePort);
    put('destinationPort', before.destinationPort, after.destinationPort);
  }
  if (after.icmpType >= 0 && before.icmpType >= 0) put('icmpType', before.icmpType, after.icmpType);
  put('ttl', before.ttl, after.ttl);
  put('length', before.length, after.length);
  return changes;
}
