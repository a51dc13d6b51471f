/** Packets of flows, for the tests of segmentation. */
import { sumPseudoHeader } from '../checksum/checksum.ts';
import { emitIpv4, IPV4_MIN_LEN, IPV4_SRC_AT } from '../ipv4/ipv4.ts';
import { emitIpv6, IPV6_LEN, IPV6_SRC_AT } from '../ipv6/ipv6.ts';
import { emitTcp, TCP_MIN_LEN, TcpFlag } from '../tcp/tcp.ts';
import { emitUdp, UDP_LEN } from '../udp/udp.ts';
import type { FrameMemory } from './segment.ts';

export interface PacketSpec {
  readonly family?: 4 | 6;
  readonly protocol?: 'tcp' | 'udp';
  /** Last byte of the source, and its port. */
  readonly host?: number;
  readonly port?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly urgent?: number;
  readonly options?: Uint8Array;
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly fragmentOffset?: number;
  readonly ipOptions?: Uint8Array;
  readonly ttl?: number;
  readonly ecn?: number;
  /** The payload is `length` bytes that begin with `first` and count up. */
  readonly length?: number;
  readonly first?: number;
  /** What lies in front, as Ethernet does. */
  readonly link?: Uint8Array;
}

/** One finished packet. */
export function packet(spec: PacketSpec = {}): Uint8Array {
  const {
    family = 4,
    protocol = 'tcp',
    host = 1,
    port = 1000,
    length = 100,
    first = 0,
    link = new Uint8Array(0),
  } = spec;
  const { ipOptions = new Uint8Array(0), options = new Uint8Array(0), ttl = 64, ecn = 0 } = spec;
  const network = family === 4 ? IPV4_MIN_LEN + ipOptions.length : IPV6_LEN;
  const header = protocol === 'tcp' ? TCP_MIN_LEN + options.length : UDP_LEN;
  const bytes = new Uint8Array(link.length + network + header + length);
  const view = new DataView(bytes.buffer);
  bytes.set(link);
  const ip = link.length;
  const at = ip + network;
  for (let i = 0; i < length; i++) bytes[at + header + i] = first + i * 7;
  const number = protocol === 'tcp' ? 6 : 17;
  if (family === 4)
    emitIpv4(
      {
        ...{ dscp: 0, ecn, id: spec.id ?? 0, dontFragment: spec.dontFragment ?? true, moreFragments: false },
        ...{ fragmentOffset: spec.fragmentOffset ?? 0, ttl, protocol: number, options: ipOptions },
        ...{ src: Uint8Array.of(10, 0, 0, host), dst: Uint8Array.of(10, 0, 1, 1), payloadLength: header + length },
      },
      view,
      ip,
    );
  else {
    const src = new Uint8Array(16).fill(0xfd, 0, 1).fill(host, 15);
    const dst = new Uint8Array(16).fill(0xfd, 0, 1).fill(99, 15);
    const fixed = { trafficClass: ecn, flowLabel: 7, payloadLength: header + length, nextHeader: number };
    emitIpv6({ ...fixed, hopLimit: ttl, src, dst }, view, ip);
  }
  const addresses = ip + (family === 4 ? IPV4_SRC_AT : IPV6_SRC_AT);
  const pseudo = sumPseudoHeader(view, addresses, family === 4 ? 4 : 16, number, header + length);
  if (protocol === 'udp') emitUdp({ src: port, dst: 53, payloadLength: length }, view, at, pseudo);
  else
    emitTcp(
      {
        ...{ src: port, dst: 80, seq: spec.seq ?? 0, ack: spec.ack ?? 5, flags: spec.flags ?? TcpFlag.ack },
        ...{ window: spec.window ?? 512, urgent: spec.urgent ?? 0, options, payloadLength: length },
      },
      view,
      at,
      pseudo,
    );
  return bytes;
}

/** The packets as rows, in memory with gaps, so that nothing is aligned. */
export function rowsOf(packets: readonly Uint8Array[]) {
  const bytes = new Uint8Array(packets.reduce((sum, one) => sum + one.length + 13, 0));
  const memory: FrameMemory = { bytes, view: new DataView(bytes.buffer) };
  const offset = new Int32Array(packets.length);
  const length = Int32Array.from(packets, (one) => one.length);
  let at = 0;
  packets.forEach((one, i) => {
    at += 13;
    offset[i] = at;
    bytes.set(one, at);
    at += one.length;
  });
  return { count: packets.length, region: packets.map(() => memory), offset, length };
}
