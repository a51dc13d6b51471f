/** Links: struct ifinfomsg and its attributes (rtnetlink(7); linux/if_link.h, linux/veth.h). */

import type { Message } from './answers.ts';
import { Attributes } from './attributes.ts';
import { AF_UNSPEC, MessageFlag, MessageType, MessageWriter } from './message.ts';

const IFINFOMSG_LEN = 16;
const IFF_UP = 1;
const IFF_LOWER_UP = 0x10000;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_STATS64 = 23;
const IFLA_GROUP = 27;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_VLAN_ID = 1;
const IFLA_MACVLAN_MODE = 1;
const IFLA_VRF_TABLE = 1;
const VETH_INFO_PEER = 1;
const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_GROUP = 2;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_GROUP6 = 16;
const IFLA_VXLAN_LOCAL6 = 17;
/** Leave out the counters, which are most of a link's bytes. */
const RTEXT_FILTER_SKIP_STATS = 1 << 3;
const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;

/** What a link is besides a name. Other links are given by their numbers. */
export type LinkKind =
  | { readonly kind: 'bridge' | 'dummy' | 'wireguard' }
  | { readonly kind: 'vlan'; readonly parent: number; readonly id: number }
  | { readonly kind: 'macvlan'; readonly parent: number; readonly mode: MacvlanMode }
  | { readonly kind: 'vrf'; readonly table: number }
  | { readonly kind: 'veth'; readonly peer: string }
  | {
      readonly kind: 'vxlan';
      /** Network identifier, 24 bits. */
      readonly id: number;
      readonly local: Uint8Array | null;
      /** Of the only other end, or a multicast group; null: the forwarding table says. */
      readonly remote: Uint8Array | null;
      readonly port: number;
      /** 0: any. */
      readonly parent: number;
      readonly learning: boolean;
    };

export interface NewLinkOptions {
  /** A bridge made with one takes that of its first port all the same; one that is set later stays. */
  readonly mtu?: number;
  readonly mac?: Uint8Array;
  /** Number of the bridge or VRF that it belongs to; 0 takes it out. */
  readonly master?: number;
  readonly up?: boolean;
  /** A number that a link may have from its birth on; the kernel's own is 0. */
  readonly group?: number;
}

export interface LinkOptions extends NewLinkOptions {
  readonly name?: string;
  /** Text for people and programs, 255 bytes at most. The kernel takes none for a link that is being made. */
  readonly alias?: string;
}

type MacvlanMode = keyof typeof MACVLAN_MODES;

export interface VxlanRow {
  readonly id: number;
  readonly local: Uint8Array | null;
  readonly remote: Uint8Array | null;
  readonly port: number;
  /** 0: any. */
  readonly parent: number;
}

/** A link as the kernel has it. What belongs to other kinds than `LinkKind` has is not told apart. */
export interface LinkRow {
  readonly index: number;
  readonly name: string;
  /** IFLA_INFO_KIND: `vlan`, `bridge`, `veth`, `tun`…; empty for hardware and the loopback. */
  readonly kind: string;
  readonly mtu: number;
  /** Empty where there is none. */
  readonly mac: Uint8Array;
  readonly up: boolean;
  readonly carrier: boolean;
  /** 0: none. */
  readonly master: number;
  readonly parent: number;
  readonly alias: string;
  readonly group: number;
  /** Of a VLAN. */
  readonly vlanId: number | null;
  /** Of a VRF. */
  readonly table: number | null;
  /** Of a macvlan. */
  readonly mode: MacvlanMode | null;
  readonly vxlan: VxlanRow | null;
}

/** Makes one; `object.exists` when the name is taken. */
export function createLink(name: string, kind: LinkKind, options: NewLinkOptions = {}): Uint8Array {
  const flags = MessageFlag.create | MessageFlag.exclusive;
  const writer = new MessageWriter(MessageType.newLink, flags, ifinfomsg(0, options.up));
  writer.attributeName(IFLA_IFNAME, name);
  writeOptions(writer, options);
  // A VLAN's parent is the link's, and not a property of its kind.
  if (kind.kind === 'vlan' || kind.kind === 'macvlan') writer.attributeU32(IFLA_LINK, kind.parent);
  writer.nested(IFLA_LINKINFO, () => {
    writer.attributeName(IFLA_INFO_KIND, kind.kind);
    if (kind.kind !== 'bridge' && kind.kind !== 'dummy' && kind.kind !== 'wireguard')
      writer.nested(IFLA_INFO_DATA, () => writeData(writer, kind));
  });
  return writer.done();
}

/** Changes a link that is there, found by its number or its name. */
export function changeLink(link: number | string, options: LinkOptions): Uint8Array {
  const index = typeof link === 'number' ? link : 0;
  const writer = new MessageWriter(MessageType.newLink, 0, ifinfomsg(index, options.up));
  if (typeof link === 'string') writer.attributeName(IFLA_IFNAME, link);
  else if (options.name !== undefined) writer.attributeName(IFLA_IFNAME, options.name);
  writeOptions(writer, options);
  return writer.done();
}

/** All of them with what they have counted, for a dump. */
export function askLinkCounts(): Uint8Array {
  return new MessageWriter(MessageType.getLink, 0, ifinfomsg(0)).done();
}

/** struct rtnl_link_stats64, as far as it is asked for. */
export interface LinkCountRow {
  readonly index: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  /** That had no room, either way. */
  readonly drops: number;
}

/** Null: this is no link, or says no counts. */
export function parseLinkCounts({ view, type, body, end }: Message): LinkCountRow | null {
  if (type !== MessageType.newLink || end - body < IFINFOMSG_LEN || view.getUint8(body) !== AF_UNSPEC) return null;
  attributes.read(view, body + IFINFOMSG_LEN, end);
  if (attributes.lengthOf(IFLA_STATS64) < 8 * 8) return null;
  const at = attributes.offsetOf(IFLA_STATS64);
  const count = (number: number): number => Number(view.getBigUint64(at + number * 8, true));
  return {
    index: view.getInt32(body + 4, true),
    rxPackets: count(0),
    txPackets: count(1),
    rxBytes: count(2),
    txBytes: count(3),
    drops: count(6) + count(7),
  };
}

export function deleteLink(index: number): Uint8Array {
  return new MessageWriter(MessageType.deleteLink, 0, ifinfomsg(index)).done();
}

/** By number or name; all of them, for a dump, without either. */
export function askLinks(link: number | string = 0): Uint8Array {
  const writer = new MessageWriter(MessageType.getLink, 0, ifinfomsg(typeof link === 'number' ? link : 0));
  if (typeof link === 'string') writer.attributeName(IFLA_IFNAME, link);
  return writer.attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).done();
}

const attributes = new Attributes(IFLA_EXT_MASK);
const info = new Attributes(IFLA_INFO_DATA);
const data = new Attributes(IFLA_VXLAN_LOCAL6);

/** Null: this is no link, or one of a family of its own (a bridge's ports). */
export function parseLink({ view, type, body, end }: Message): LinkRow | null {
  if ((type !== MessageType.newLink && type !== MessageType.deleteLink) || end - body < IFINFOMSG_LEN) return null;
  if (view.getUint8(body) !== AF_UNSPEC) return null;
  const flags = view.getUint32(body + 8, true);
  attributes.read(view, body + IFINFOMSG_LEN, end);
  const name = attributes.text(IFLA_IFNAME);
  if (name === null) return null;
  info.readNested(attributes, IFLA_LINKINFO);
  data.readNested(info, IFLA_INFO_DATA);
  const kind = info.text(IFLA_INFO_KIND) ?? '';
  return {
    index: view.getInt32(body + 4, true),
    name,
    kind,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    mac: attributes.bytes(IFLA_ADDRESS) ?? new Uint8Array(0),
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    master: attributes.u32(IFLA_MASTER) ?? 0,
    parent: attributes.u32(IFLA_LINK) ?? 0,
    alias: attributes.text(IFLA_IFALIAS) ?? '',
    group: attributes.u32(IFLA_GROUP) ?? 0,
    vlanId: kind === 'vlan' ? data.u16(IFLA_VLAN_ID) : null,
    table: kind === 'vrf' ? data.u32(IFLA_VRF_TABLE) : null,
    mode: kind === 'macvlan' ? modeOf(data.u32(IFLA_MACVLAN_MODE)) : null,
    vxlan: kind === 'vxlan' ? vxlanOf() : null,
  };
}

function modeOf(number: number | null): MacvlanMode | null {
  for (const [mode, of] of Object.entries(MACVLAN_MODES)) if (of === number) return mode as MacvlanMode;
  return null;
}

/** Of the data that was read last. */
function vxlanOf(): VxlanRow {
  return {
    id: data.u32(IFLA_VXLAN_ID) ?? 0,
    local: data.bytes(IFLA_VXLAN_LOCAL, 4) ?? data.bytes(IFLA_VXLAN_LOCAL6, 16),
    remote: data.bytes(IFLA_VXLAN_GROUP, 4) ?? data.bytes(IFLA_VXLAN_GROUP6, 16),
    port: data.be16(IFLA_VXLAN_PORT) ?? 0,
    parent: data.u32(IFLA_VXLAN_LINK) ?? 0,
  };
}

function writeOptions(writer: MessageWriter, { mtu, mac, master, group, alias }: LinkOptions): void {
  if (mtu !== undefined) writer.attributeU32(IFLA_MTU, mtu);
  if (mac !== undefined) writer.attribute(IFLA_ADDRESS, mac);
  if (master !== undefined) writer.attributeU32(IFLA_MASTER, master);
  if (group !== undefined) writer.attributeU32(IFLA_GROUP, group);
  // Without the zero byte: the kernel would keep it as part of the text.
  if (alias !== undefined) writer.attribute(IFLA_IFALIAS, new TextEncoder().encode(alias));
}

function writeData(writer: MessageWriter, kind: LinkKind): void {
  switch (kind.kind) {
    case 'vlan':
      writer.attributeU16(IFLA_VLAN_ID, kind.id);
      return;
    case 'macvlan':
      writer.attributeU32(IFLA_MACVLAN_MODE, MACVLAN_MODES[kind.mode]);
      return;
    case 'vrf':
      writer.attributeU32(IFLA_VRF_TABLE, kind.table);
      return;
    case 'veth':
      writer.nested(VETH_INFO_PEER, () => {
        writer.raw(ifinfomsg(0));
        writer.attributeName(IFLA_IFNAME, kind.peer);
      });
      return;
    case 'vxlan': {
      const { id, local, remote, port, parent, learning } = kind;
      writer.attributeU32(IFLA_VXLAN_ID, id);
      if (remote !== null) writer.attribute(remote.length === 4 ? IFLA_VXLAN_GROUP : IFLA_VXLAN_GROUP6, remote);
      if (local !== null) writer.attribute(local.length === 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, local);
      if (parent !== 0) writer.attributeU32(IFLA_VXLAN_LINK, parent);
      writer.attributeU8(IFLA_VXLAN_LEARNING, learning ? 1 : 0).attributeBe16(IFLA_VXLAN_PORT, port);
      return;
    }
    default:
      return;
  }
}

function ifinfomsg(index: number, up?: boolean): Uint8Array {
  const body = new Uint8Array(IFINFOMSG_LEN);
  const view = new DataView(body.buffer);
  view.setInt32(4, index, true);
  if (up !== undefined) {
    view.setUint32(8, up ? IFF_UP : 0, true);
    // Which flags are meant.
    view.setUint32(12, IFF_UP, true);
  }
  return body;
}
