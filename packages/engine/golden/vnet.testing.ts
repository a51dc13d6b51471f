/**
 * What a story says of a packet behind a virtio-net header. The header follows from the packet and a word: none for one that is whole,
 * `checksum` for one whose transport checksum the receiver is to finish, `tcp4:SIZE`, `tcp6:SIZE`, `udp:SIZE` for a super-packet with
 * payloads of that size (`ufo:SIZE` for a kind that we do not speak); `bare` for one that has no header at all.
 */
import { strict as assert } from 'node:assert';
import { IPV4_PROTOCOL_AT, ipVersion, ipv4HeaderLen } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { IPV6_LEN, IPV6_NEXT_HEADER_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { TCP_CHECKSUM_AT, tcpHeaderLen } from '@vrouter/wire/tcp/tcp.ts';
import { UDP_CHECKSUM_AT, UDP_LEN } from '@vrouter/wire/udp/udp.ts';
import { emitVnet, parseVnet, VNET_LEN, VnetFlag, VnetGso } from '@vrouter/wire/virtio-net/header.ts';

const kinds: { readonly [word: string]: number } = {
  checksum: VnetGso.none,
  tcp4: VnetGso.tcp4,
  tcp6: VnetGso.tcp6,
  udp: VnetGso.udpDatagrams,
  ufo: VnetGso.udpFragments,
};

/** The frame that a kernel makes of the packet. */
export function vnetFrame(packet: Uint8Array, word: string): Uint8Array {
  if (word === 'bare') return packet;
  const frame = new Uint8Array(VNET_LEN + packet.length);
  frame.set(packet, VNET_LEN);
  if (word === '') return frame;
  const [kind, size] = word.split(':');
  const gso = kinds[kind!];
  assert.ok(gso !== undefined, `what is "${word}"?`);
  const v = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const six = ipVersion(v, 0) === 6;
  const start = six ? IPV6_LEN : ipv4HeaderLen(v, 0);
  const isUdp = v.getUint8(six ? IPV6_NEXT_HEADER_AT : IPV4_PROTOCOL_AT) === IpProtocol.udp;
  const place = { checksumStart: start, checksumOffset: isUdp ? UDP_CHECKSUM_AT : TCP_CHECKSUM_AT };
  const transport = isUdp || start + 12 >= packet.length ? UDP_LEN : tcpHeaderLen(v, start);
  const headerLength = gso === VnetGso.none ? 0 : start + transport;
  const header = { flags: VnetFlag.needsChecksum, gso, headerLength, gsoSize: Number(size ?? 0), ...place };
  emitVnet(header, new DataView(frame.buffer), 0);
  return frame;
}

/** The packet of a frame that a kernel got, and the word for its header. */
export function vnetTold(frame: Uint8Array): { readonly packet: Uint8Array; readonly word: string } {
  const { flags, gso, gsoSize } = parseVnet(new DataView(frame.buffer, frame.byteOffset), 0, frame.length)!;
  const packet = frame.slice(VNET_LEN);
  const kind = Object.keys(kinds).find((name) => kinds[name] === gso)!;
  const size = gso === VnetGso.none ? '' : `:${gsoSize}`;
  const word = flags === 0 ? '' : `${kind}${size}`;
  assert.deepEqual(vnetFrame(packet, word), frame, 'nothing else is in the header');
  return { packet, word };
}
