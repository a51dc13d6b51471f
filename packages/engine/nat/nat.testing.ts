/** A translator between an inside and two outside links, and packets to put through it. */

import { seededRng } from '@vrouter/core/rng.ts';
import { sumPseudoHeader } from '@vrouter/wire/checksum/checksum.ts';
import { IPV4_SRC_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { emitTcp } from '@vrouter/wire/tcp/tcp.ts';
import { echoPacket, udpPacket } from '../testing/packets.testing.ts';
import type { MasqueradeRule } from './masquerade.ts';
import { Nat } from './nat.ts';
import type { PublishedRange } from './published.ts';
import { defaultNatSettings, type NatSettings } from './settings.ts';

export const word = (text: string): number => text.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0);

/** Link 0 is the inside (10.77.0.1), link 1 the outside. */
export const OUTSIDE = '198.51.100.1';
export const INSIDE_LINK = 0;
export const OUTSIDE_LINK = 1;

export const masquerade: MasqueradeRule = {
  rule: 0,
  vrf: 0,
  network: word('10.0.0.0'),
  bits: 8,
  mask: 0xff000000 | 0,
  leaving: Uint8Array.of(0, 1),
  pool: null,
  hairpin: true,
};

export const published: PublishedRange = {
  rule: 1,
  protocol: IpProtocol.tcp,
  vrf: 0,
  address: word(OUTSIDE),
  firstPort: 80,
  lastPort: 89,
  toAddress: word('10.77.0.9'),
  toPort: 8080,
  hairpin: true,
  reachedBy: Uint8Array.of(0, 1),
};

export function makeNat(settings: Partial<NatSettings> = {}, rules: readonly MasqueradeRule[] = [masquerade]): Nat {
  const nat = new Nat({ ...defaultNatSettings, ...settings }, seededRng(7));
  for (let rule = 0; rule < 4; rule++) {
    nat.packets[rule] = 0;
    nat.bytes[rule] = 0;
    nat.sessions.ofRule[rule] = 0;
  }
  nat.configure(rules, [published], Int32Array.of(word('10.77.0.1'), word(OUTSIDE)), Int32Array.of(0, 0), new Set());
  nat.advance(0);
  return nat;
}

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
}

export type Protocol = 'udp' | 'tcp' | 'icmp';

/** A packet from one to the other; of ICMP an echo request, or a reply, with the identifier of the one that has one. */
export function packetOf(
  protocol: Protocol,
  from: Endpoint,
  to: Endpoint,
  more: { readonly flags?: number; readonly reply?: boolean; readonly data?: Uint8Array } = {},
): Uint8Array {
  const way = { src: from.ip, dst: to.ip };
  const data = more.data ?? Uint8Array.of(1, 2, 3);
  if (protocol === 'udp') return udpPacket(way, data, { src: from.port, dst: to.port });
  if (protocol === 'icmp') {
    const reply = more.reply ?? false;
    return echoPacket(way, { identifier: reply ? to.port : from.port, reply, data });
  }
  // A UDP packet with room for the difference becomes a TCP one.
  const bytes = udpPacket(way, new Uint8Array(12 + data.length), { src: 0, dst: 0 });
  const view = new DataView(bytes.buffer);
  bytes.set(data, 40);
  view.setUint8(9, IpProtocol.tcp);
  view.setUint16(10, 0);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(10, ~sum & 0xffff);
  const header = { src: from.port, dst: to.port, seq: 1, ack: 2, flags: more.flags ?? 0x10, window: 9, urgent: 0 };
  const pseudo = sumPseudoHeader(view, IPV4_SRC_AT, 4, IpProtocol.tcp, 20 + data.length);
  emitTcp({ ...header, options: new Uint8Array(0), payloadLength: data.length }, view, 20, pseudo);
  return bytes;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Puts a packet through in place. */
export const out = (nat: Nat, bytes: Uint8Array, ingress = INSIDE_LINK, egress = OUTSIDE_LINK): number =>
  nat.outbound(viewOf(bytes), 0, bytes.length, 0, ingress, egress);
export const into = (nat: Nat, bytes: Uint8Array, ingress = OUTSIDE_LINK): number =>
  nat.inbound(viewOf(bytes), 0, bytes.length, 0, ingress);

const dotted = (bytes: Uint8Array, at: number): string => bytes.subarray(at, at + 4).join('.');

/** Source and destination as they stand in the packet. */
export function endsOf(bytes: Uint8Array): { src: Endpoint; dst: Endpoint } {
  const view = viewOf(bytes);
  const transport = (bytes[0]! & 15) * 4;
  const isIcmp = bytes[9] === IpProtocol.icmp;
  const port = (at: number): number => view.getUint16(transport + (isIcmp ? 4 : at));
  return { src: { ip: dotted(bytes, 12), port: port(0) }, dst: { ip: dotted(bytes, 16), port: port(2) } };
}

/** Whether every sum of a whole packet is right. */
export function sumsAreRight(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  const header = (bytes[0]! & 15) * 4;
  const protocol = bytes[9]!;
  const length = bytes.length - header;
  const sum = (from: number, to: number, start: number): number => {
    let total = start;
    for (let at = from; at < to; at++) total += at % 2 === 0 ? bytes[at]! << 8 : bytes[at]!;
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return total;
  };
  const pseudo = protocol === IpProtocol.icmp ? 0 : sumPseudoHeader(view, IPV4_SRC_AT, 4, protocol, length);
  if (protocol === IpProtocol.udp && view.getUint16(header + 6) === 0) return sum(0, header, 0) === 0xffff;
  return sum(0, header, 0) === 0xffff && sum(header, bytes.length, pseudo) === 0xffff;
}

/** A destination unreachable about a packet, from `from` to the packet's source. */
export function unreachable(from: string, about: Uint8Array, bytes: number = 28): Uint8Array {
  const { src } = endsOf(about);
  const message = packetOf('icmp', { ip: from, port: 0 }, { ip: src.ip, port: 0 }, { data: about.subarray(0, bytes) });
  const view = new DataView(message.buffer);
  message[20] = 3;
  message[21] = 1;
  view.setUint32(24, 0);
  view.setUint16(22, 0);
  let sum = 0;
  for (let at = 20; at < message.length; at += 2) sum += (message[at]! << 8) | (message[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(22, ~sum & 0xffff);
  return message;
}
