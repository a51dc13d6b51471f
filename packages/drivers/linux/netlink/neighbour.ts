/** Neighbours of links, and addresses that a bridge or a VXLAN forwards to (FDB): struct ndmsg (rtnetlink(7), linux/neighbour.h). */

import { addressLength } from './address.ts';
import type { Message } from './answers.ts';
import { Attributes } from './attributes.ts';
import { AF_BRIDGE, familyOf, MessageFlag, MessageType, MessageWriter } from './message.ts';

const NDMSG_LEN = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_VLAN = 5;
const NDA_MASTER = 9;
const NUD_NOARP = 0x40;
const NUD_PERMANENT = 0x80;
const NTF_SELF = 0x02;
const NTF_MASTER = 0x04;
const MAC_LEN = 6;

/** Of a link: who has this address. */
export interface NeighbourRow {
  readonly link: number;
  readonly address: Uint8Array;
  /** Empty while it is being looked for. */
  readonly mac: Uint8Array;
  /** Put there by somebody: never asked for, never forgotten. */
  readonly permanent: boolean;
}

/** Of a bridge's port, or of a VXLAN with the other end's address: where frames for this address go. */
export interface ForwardingRow {
  readonly link: number;
  readonly mac: Uint8Array;
  /** A bridge that knows VLANs has an entry for each, besides the one of none. */
  readonly vlan: number | null;
  /** The other end of a VXLAN; null: a port of a bridge. */
  readonly to: Uint8Array | null;
  readonly permanent: boolean;
}

/** Puts it there for good, or changes it. */
export function setNeighbour(link: number, address: Uint8Array, mac: Uint8Array): Uint8Array {
  const body = ndmsg(familyOf(address), link, NUD_PERMANENT, 0);
  const flags = MessageFlag.create | MessageFlag.replace;
  const writer = new MessageWriter(MessageType.newNeighbour, flags, body);
  return writer.attribute(NDA_DST, address).attribute(NDA_LLADDR, mac).done();
}

export function deleteNeighbour(link: number, address: Uint8Array): Uint8Array {
  const body = ndmsg(familyOf(address), link, 0, 0);
  return new MessageWriter(MessageType.deleteNeighbour, 0, body).attribute(NDA_DST, address).done();
}

/** `to`: on a VXLAN, the other end. Several of the address of zeros make a list of where to flood. */
export function addForwarding(link: number, mac: Uint8Array, to: Uint8Array | null): Uint8Array {
  return forwarding(MessageType.newNeighbour, MessageFlag.create | MessageFlag.append, link, mac, to);
}

export function deleteForwarding(link: number, mac: Uint8Array, to: Uint8Array | null): Uint8Array {
  return forwarding(MessageType.deleteNeighbour, 0, link, mac, to);
}

/** All of a family; of AF_BRIDGE those of bridges and VXLANs. */
export function askNeighbours(family: number): Uint8Array {
  return new MessageWriter(MessageType.getNeighbour, 0, ndmsg(family, 0, 0, 0)).done();
}

const attributes = new Attributes(NDA_MASTER);

/** Null: this is no neighbour of those families, or the kernel's own (multicast). */
export function parseNeighbour({ view, type, body, end }: Message): NeighbourRow | null {
  const known = type === MessageType.newNeighbour || type === MessageType.deleteNeighbour;
  if (!known || end - body < NDMSG_LEN) return null;
  const length = addressLength(view.getUint8(body));
  const state = view.getUint16(body + 8, true);
  const address = length === 0 ? null : attributes.read(view, body + NDMSG_LEN, end).bytes(NDA_DST, length);
  if (address === null || (state & NUD_NOARP) !== 0) return null;
  return {
    link: view.getInt32(body + 4, true),
    address,
    mac: attributes.bytes(NDA_LLADDR) ?? new Uint8Array(0),
    permanent: (state & NUD_PERMANENT) !== 0,
  };
}

/** Null: this is no entry of a bridge or a VXLAN. */
export function parseForwarding({ view, type, body, end }: Message): ForwardingRow | null {
  const known = type === MessageType.newNeighbour || type === MessageType.deleteNeighbour;
  if (!known || end - body < NDMSG_LEN || view.getUint8(body) !== AF_BRIDGE) return null;
  const mac = attributes.read(view, body + NDMSG_LEN, end).bytes(NDA_LLADDR, MAC_LEN);
  if (mac === null) return null;
  return {
    link: view.getInt32(body + 4, true),
    mac,
    vlan: attributes.u16(NDA_VLAN),
    to: attributes.bytes(NDA_DST, 4, 16),
    permanent: (view.getUint16(body + 8, true) & (NUD_PERMANENT | NUD_NOARP)) !== 0,
  };
}

function forwarding(type: number, flags: number, link: number, mac: Uint8Array, to: Uint8Array | null): Uint8Array {
  // On a VXLAN it is the device's own; of a port it is its bridge's.
  const body = ndmsg(AF_BRIDGE, link, NUD_PERMANENT | NUD_NOARP, to === null ? NTF_MASTER : NTF_SELF);
  const writer = new MessageWriter(type, flags, body).attribute(NDA_LLADDR, mac);
  return (to === null ? writer : writer.attribute(NDA_DST, to)).done();
}

function ndmsg(family: number, link: number, state: number, flags: number): Uint8Array {
  const body = new Uint8Array(NDMSG_LEN);
  const view = new DataView(body.buffer);
  view.setUint8(0, family);
  view.setInt32(4, link, true);
  view.setUint16(8, state, true);
  view.setUint8(10, flags);
  return body;
}
