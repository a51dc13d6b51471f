/**
 * WireGuard devices of the kernel (linux/wireguard.h): made and removed as links, configured here. A message holds 64 KiB at most, so many
 * peers, or many prefixes of one, are several messages, both ways.
 */
import type { Prefix } from '@vrouter/core/prefix.ts';
import { addressLength } from './address.ts';
import type { Message } from './answers.ts';
import { Attributes } from './attributes.ts';
import { GENL_HEADER_LEN, genericMessage } from './generic.ts';
import { AF_INET, AF_INET6, ATTRIBUTE_HEADER_LEN, aligned, familyOf, type MessageWriter } from './message.ts';

export const WIREGUARD_FAMILY = 'wireguard';
const VERSION = 1;
const WG_CMD_GET_DEVICE = 0;
const WG_CMD_SET_DEVICE = 1;
const DEVICE = { index: 1, name: 2, privateKey: 3, publicKey: 4, flags: 5, listenPort: 6, mark: 7, peers: 8 } as const;
const PEER = {
  publicKey: 1,
  presharedKey: 2,
  flags: 3,
  endpoint: 4,
  keepalive: 5,
  lastHandshake: 6,
  rxBytes: 7,
  txBytes: 8,
  allowedIps: 9,
} as const;
const ALLOWED = { family: 1, address: 2, bits: 3 } as const;
const REPLACE_PEERS = 1;
const REMOVE_ME = 1;
const REPLACE_ALLOWED_IPS = 2;
const UPDATE_ONLY = 4;
const KEY_LEN = 32;
const TIMESPEC_LEN = 16;
const SOCKADDR_IN_LEN = 16;
const SOCKADDR_IN6_LEN = 28;
/** An attribute says its length in 16 bits, and all peers are inside of one. */
const PEERS_BYTES = 48 * 1024;
/** With everything but prefixes. */
const PEER_BYTES = 160;
const PREFIX_BYTES = 48;

export interface WireguardEndpoint {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
}

/** What is left out stays as it is. */
export interface PeerChange {
  readonly publicKey: Uint8Array;
  readonly remove?: boolean;
  /** Never made when it is not there. */
  readonly updateOnly?: boolean;
  /** 32 bytes; zeros are none. */
  readonly presharedKey?: Uint8Array;
  readonly endpoint?: WireguardEndpoint;
  /** Seconds; 0 is off. */
  readonly keepalive?: number;
  /** Added to those that it has, and taken from whoever has them. */
  readonly allowedIps?: readonly Prefix[];
  /** All others of the peer go. */
  readonly replaceAllowedIps?: boolean;
}

export interface DeviceChange {
  /** 32 bytes; zeros are none, and stop the device. */
  readonly privateKey?: Uint8Array;
  /** 0: any free one. */
  readonly listenPort?: number;
  readonly mark?: number;
  /** All others go. */
  readonly replacePeers?: boolean;
  readonly peers?: readonly PeerChange[];
}

export interface PeerRow {
  readonly publicKey: Uint8Array;
  /** Null: none. */
  readonly presharedKey: Uint8Array | null;
  readonly endpoint: WireguardEndpoint | null;
  readonly keepalive: number;
  /** Null: never. */
  readonly lastHandshakeUnixMs: number | null;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly allowedIps: readonly Prefix[];
}

export interface DeviceRow {
  readonly index: number;
  /** Null: it has none, or we may not see it. */
  readonly privateKey: Uint8Array | null;
  readonly publicKey: Uint8Array | null;
  readonly listenPort: number;
  readonly mark: number;
  readonly peers: readonly PeerRow[];
}

/** For a dump: everything of one device. */
export function askDevice(family: number, index: number): Uint8Array {
  return genericMessage(family, WG_CMD_GET_DEVICE, VERSION).attributeU32(DEVICE.index, index).done();
}

/** Requests that change a device, to be done in this order. */
export function changeDevice(family: number, index: number, change: DeviceChange): Uint8Array[] {
  const { privateKey, listenPort, mark, replacePeers, peers = [] } = change;
  const parts = partsOf(peers);
  // Without peers there is a device to change, or nothing.
  if (parts.length === 0) parts.push([]);
  return parts.map((part, number) => {
    const writer = genericMessage(family, WG_CMD_SET_DEVICE, VERSION).attributeU32(DEVICE.index, index);
    if (number === 0) {
      if (privateKey !== undefined) writer.attribute(DEVICE.privateKey, privateKey);
      if (listenPort !== undefined) writer.attributeU16(DEVICE.listenPort, listenPort);
      if (mark !== undefined) writer.attributeU32(DEVICE.mark, mark);
      if (replacePeers === true) writer.attributeU32(DEVICE.flags, REPLACE_PEERS);
    }
    if (part.length > 0)
      writer.nested(DEVICE.peers, () => {
        for (const peer of part) writer.nested(0, () => writePeer(writer, peer));
      });
    return writer.done();
  });
}

/** Peers by message. Of one that has too many prefixes the rest follows: flags that replace are said once. */
function partsOf(peers: readonly PeerChange[]): PeerChange[][] {
  const parts: PeerChange[][] = [];
  let part: PeerChange[] = [];
  let room = PEERS_BYTES;
  const begin = (): void => {
    if (part.length > 0) parts.push(part);
    part = [];
    room = PEERS_BYTES;
  };
  for (const peer of peers) {
    let rest = peer.allowedIps ?? [];
    let first = true;
    do {
      if (room < PEER_BYTES + Math.min(1, rest.length) * PREFIX_BYTES) begin();
      const some = rest.slice(0, Math.floor((room - PEER_BYTES) / PREFIX_BYTES));
      rest = rest.slice(some.length);
      room -= PEER_BYTES + some.length * PREFIX_BYTES;
      const allowedIps = peer.allowedIps === undefined ? {} : { allowedIps: some };
      part.push(first ? { ...peer, ...allowedIps } : { publicKey: peer.publicKey, updateOnly: true, ...allowedIps });
      first = false;
    } while (rest.length > 0);
  }
  begin();
  return parts;
}

function writePeer(writer: MessageWriter, peer: PeerChange): void {
  const flags =
    (peer.remove === true ? REMOVE_ME : 0) |
    (peer.replaceAllowedIps === true ? REPLACE_ALLOWED_IPS : 0) |
    (peer.updateOnly === true ? UPDATE_ONLY : 0);
  writer.attribute(PEER.publicKey, peer.publicKey);
  if (flags !== 0) writer.attributeU32(PEER.flags, flags);
  if (peer.presharedKey !== undefined) writer.attribute(PEER.presharedKey, peer.presharedKey);
  if (peer.endpoint !== undefined) writer.attribute(PEER.endpoint, sockaddrOf(peer.endpoint));
  if (peer.keepalive !== undefined) writer.attributeU16(PEER.keepalive, peer.keepalive);
  if (peer.allowedIps === undefined || peer.allowedIps.length === 0) return;
  writer.nested(PEER.allowedIps, () => {
    for (const { address, bits } of peer.allowedIps!)
      writer.nested(0, () => {
        writer.attributeU16(ALLOWED.family, familyOf(address));
        writer.attribute(ALLOWED.address, address).attributeU8(ALLOWED.bits, bits);
      });
  });
}

const attributes = new Attributes(DEVICE.peers);
const ofPeer = new Attributes(PEER.allowedIps);
const ofPrefix = new Attributes(ALLOWED.bits);

/** A public key as a text that is cheap to make: a character a byte. */
export const peerName = (publicKey: Uint8Array): string => String.fromCharCode(...publicKey);

/**
 * What one message of a dump says of the device; `joinDevice` puts them together. `wanted`: only these peers, by `peerName`; a device may
 * have thousands.
 */
export function parseDevice(
  { view, type, body, end }: Message,
  family: number,
  wanted: ReadonlySet<string> | null = null,
): DeviceRow | null {
  if (type !== family || end - body < GENL_HEADER_LEN || view.getUint8(body) !== WG_CMD_GET_DEVICE) return null;
  attributes.read(view, body + GENL_HEADER_LEN, end);
  return {
    index: attributes.u32(DEVICE.index) ?? 0,
    privateKey: keyOf(attributes, DEVICE.privateKey),
    publicKey: keyOf(attributes, DEVICE.publicKey),
    listenPort: attributes.u16(DEVICE.listenPort) ?? 0,
    mark: attributes.u32(DEVICE.mark) ?? 0,
    peers: listOf(view, attributes, DEVICE.peers, (at, to) => parsePeer(view, at, to, wanted)),
  };
}

/** Null: no message was about a device. Later ones say no more than peers, the first of which may be the last one's going on. */
export function joinDevice(rows: readonly DeviceRow[]): DeviceRow | null {
  const first = rows[0];
  if (first === undefined) return null;
  const peers: PeerRow[] = [];
  for (const row of rows)
    for (const peer of row.peers) {
      const last = peers.at(-1);
      if (last !== undefined && Buffer.compare(last.publicKey, peer.publicKey) === 0)
        peers[peers.length - 1] = { ...last, allowedIps: [...last.allowedIps, ...peer.allowedIps] };
      else peers.push(peer);
    }
  return { ...first, peers };
}

function parsePeer(view: DataView, at: number, to: number, wanted: ReadonlySet<string> | null): PeerRow | null {
  ofPeer.read(view, at, to);
  const publicKey = ofPeer.bytes(PEER.publicKey, KEY_LEN);
  if (publicKey === null || wanted?.has(peerName(publicKey)) === false) return null;
  return {
    publicKey,
    presharedKey: keyOf(ofPeer, PEER.presharedKey),
    endpoint: endpointOf(ofPeer.bytes(PEER.endpoint, SOCKADDR_IN_LEN, SOCKADDR_IN6_LEN)),
    keepalive: ofPeer.u16(PEER.keepalive) ?? 0,
    lastHandshakeUnixMs: timeOf(view, ofPeer),
    rxBytes: ofPeer.u64(PEER.rxBytes) ?? 0,
    txBytes: ofPeer.u64(PEER.txBytes) ?? 0,
    allowedIps: listOf(view, ofPeer, PEER.allowedIps, (from, end) => {
      ofPrefix.read(view, from, end);
      const length = addressLength(ofPrefix.u16(ALLOWED.family) ?? 0);
      const address = length === 0 ? null : ofPrefix.bytes(ALLOWED.address, length);
      const bits = ofPrefix.u8(ALLOWED.bits);
      return address === null || bits === null || bits > length * 8 ? null : { address, bits };
    }),
  };
}

/** The elements of a list, each an attribute of its own. */
function listOf<T>(
  view: DataView,
  from: Attributes,
  type: number,
  read: (at: number, to: number) => T | null,
): readonly T[] {
  const rows: T[] = [];
  if (!from.has(type)) return rows;
  const begin = from.offsetOf(type);
  const end = begin + from.lengthOf(type);
  for (let at = begin; at + ATTRIBUTE_HEADER_LEN <= end; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_LEN || at + length > end) break;
    const row = read(at + ATTRIBUTE_HEADER_LEN, at + length);
    if (row !== null) rows.push(row);
    at += aligned(length);
  }
  return rows;
}

/** Zeros are how the kernel says that there is none. */
function keyOf(from: Attributes, type: number): Uint8Array | null {
  const bytes = from.bytes(type, KEY_LEN);
  return bytes?.some((byte) => byte !== 0) === true ? bytes : null;
}

/** struct __kernel_timespec: two 64-bit numbers, seconds and nanoseconds. */
function timeOf(view: DataView, from: Attributes): number | null {
  if (from.lengthOf(PEER.lastHandshake) < TIMESPEC_LEN) return null;
  const at = from.offsetOf(PEER.lastHandshake);
  const unixMs = Number(view.getBigInt64(at, true)) * 1000 + Number(view.getBigInt64(at + 8, true)) / 1_000_000;
  return unixMs === 0 ? null : Math.floor(unixMs);
}

/** struct sockaddr_in and sockaddr_in6: the family in our order, the port in the network's. */
function sockaddrOf({ address, port }: WireguardEndpoint): Uint8Array {
  const bytes = new Uint8Array(address.length === 4 ? SOCKADDR_IN_LEN : SOCKADDR_IN6_LEN);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, familyOf(address), true);
  view.setUint16(2, port, false);
  bytes.set(address, address.length === 4 ? 4 : 8);
  return bytes;
}

function endpointOf(bytes: Uint8Array | null): WireguardEndpoint | null {
  if (bytes === null) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const family = view.getUint16(0, true);
  const port = view.getUint16(2, false);
  if (family === AF_INET) return { address: bytes.slice(4, 8), port };
  return family === AF_INET6 && bytes.length === SOCKADDR_IN6_LEN ? { address: bytes.slice(8, 24), port } : null;
}
