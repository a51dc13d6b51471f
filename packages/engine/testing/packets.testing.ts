/** Packets for tests, made by our codecs, whose own tests hold them to bytes that others made. */
import { strict as assert } from 'node:assert';
import { parseIp } from '@vrouter/core/ip.ts';
import { sumPseudoHeader } from '@vrouter/wire/checksum/checksum.ts';
import { emitIcmpEcho, type IcmpEcho, icmpEchoLen } from '@vrouter/wire/icmp/icmp.ts';
import { emitIpv4, IPV4_MIN_LEN, IPV4_SRC_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { emitIpv6, IPV6_LEN, IPV6_SRC_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { emitUdp, UDP_LEN } from '@vrouter/wire/udp/udp.ts';

export interface Way {
  readonly src: string;
  readonly dst: string;
  readonly ttl?: number;
}

export function ip(text: string): Uint8Array {
  const parsed = parseIp(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

/** An IP packet with room for `length` bytes of payload, of the family of the addresses. `fill` writes it. */
function packet(
  way: Way,
  protocol: number,
  length: number,
  fill: (view: DataView, at: number, pseudo: number) => void,
): Uint8Array {
  const src = ip(way.src);
  const dst = ip(way.dst);
  const ttl = way.ttl ?? 64;
  const four = src.length === 4;
  const at = four ? IPV4_MIN_LEN : IPV6_LEN;
  const bytes = new Uint8Array(at + length);
  const view = new DataView(bytes.buffer);
  if (four)
    emitIpv4(
      {
        dscp: 0,
        ecn: 0,
        id: 0x4242,
        dontFragment: true,
        moreFragments: false,
        fragmentOffset: 0,
        ttl,
        protocol,
        src,
        dst,
        options: new Uint8Array(0),
        payloadLength: length,
      },
      view,
      0,
    );
  else
    emitIpv6(
      { trafficClass: 0, flowLabel: 0x12345, payloadLength: length, nextHeader: protocol, hopLimit: ttl, src, dst },
      view,
      0,
    );
  const pseudo = sumPseudoHeader(view, four ? IPV4_SRC_AT : IPV6_SRC_AT, four ? 4 : 16, protocol, length);
  fill(view, at, pseudo);
  return bytes;
}

export function udpPacket(way: Way, data: Uint8Array, ports: { src?: number; dst?: number } = {}): Uint8Array {
  const header = { src: ports.src ?? 4000, dst: ports.dst ?? 5000, payloadLength: data.length };
  return packet(way, 17, UDP_LEN + data.length, (view, at, pseudo) => {
    new Uint8Array(view.buffer, at + UDP_LEN).set(data);
    emitUdp(header, view, at, pseudo);
  });
}

export function echoPacket(way: Way, echo: Partial<IcmpEcho> = {}): Uint8Array {
  const four = !way.src.includes(':');
  const whole: IcmpEcho = {
    reply: false,
    identifier: 7,
    sequence: 1,
    data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7),
    ...echo,
    family: four ? 4 : 6,
  };
  return packet(way, four ? 1 : 58, icmpEchoLen(whole), (view, at, pseudo) => {
    emitIcmpEcho(whole, view, at, four ? 0 : pseudo);
  });
}

/**
 * The packet in hex, as a story has it. With several workers each numbers the packets that it makes itself, so identifications (and the
 * header checksum of IPv4) are left out there.
 */
export function storyHex(packet: Uint8Array, workers: number): string {
  const copy = packet.slice();
  if (workers > 1 && copy[0]! >>> 4 === 4) {
    copy.fill(0, 4, 6);
    copy.fill(0, 10, 12);
  }
  // A fragment header.
  if (workers > 1 && copy[0]! >>> 4 === 6 && copy[6] === 44) copy.fill(0, 44, 48);
  return copy.toHex();
}
