/** Addresses of links: struct ifaddrmsg (rtnetlink(7); linux/if_addr.h). */
import type { Prefix } from '@vrouter/core/prefix.ts';
import type { Message } from './answers.ts';
import { Attributes } from './attributes.ts';
import { AF_INET, AF_INET6, familyOf, MessageFlag, MessageType, MessageWriter } from './message.ts';

const IFADDRMSG_LEN = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;
/** Nobody is asked whether the address is taken (RFC 4862 section 5.4): for links without neighbours, and who knows. */
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_PERMANENT = 0x80;
/** The kernel makes no route to the network of the address. */
const IFA_F_NOPREFIXROUTE = 0x200;

export interface AddressRow {
  readonly link: number;
  readonly address: Prefix;
  /** Put there by somebody, not made by the kernel for a time (SLAAC). */
  readonly permanent: boolean;
  /** Being asked for, or found to be somebody else's. */
  readonly tentative: boolean;
  readonly duplicate: boolean;
  /** Who put it there, as far as it was said; 0: nobody knows (Linux before 5.18, most programs). */
  readonly protocol: number;
}

export interface AddressOptions {
  /** The kernel makes no route to its network. */
  readonly noPrefixRoute?: boolean;
  /** The last address of its network is that of all hosts on the link (IPv4). */
  readonly broadcast?: boolean;
  /** Says who put it there, 1 to 255. */
  readonly protocol?: number;
}

export function addAddress(index: number, address: Prefix, options: AddressOptions = {}): Uint8Array {
  return message(MessageType.newAddress, MessageFlag.create | MessageFlag.exclusive, index, address, options);
}

export function removeAddress(index: number, address: Prefix): Uint8Array {
  return message(MessageType.deleteAddress, 0, index, address);
}

/** All of a family, for a dump. */
export function askAddresses(family: number): Uint8Array {
  return new MessageWriter(MessageType.getAddress, 0, Uint8Array.of(family, 0, 0, 0, 0, 0, 0, 0)).done();
}

const attributes = new Attributes(IFA_PROTO);

/** Null: this is no address of those families. */
export function parseAddress({ view, type, body, end }: Message): AddressRow | null {
  const known = type === MessageType.newAddress || type === MessageType.deleteAddress;
  if (!known || end - body < IFADDRMSG_LEN) return null;
  const length = addressLength(view.getUint8(body));
  attributes.read(view, body + IFADDRMSG_LEN, end);
  // The other end's on a link between two; ours is the local one where both are there.
  const address = attributes.bytes(IFA_LOCAL, length) ?? attributes.bytes(IFA_ADDRESS, length);
  const bits = view.getUint8(body + 1);
  if (length === 0 || address === null || bits > length * 8) return null;
  const flags = attributes.u32(IFA_FLAGS) ?? view.getUint8(body + 2);
  return {
    link: view.getInt32(body + 4, true),
    address: { address, bits },
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    duplicate: (flags & IFA_F_DADFAILED) !== 0,
    protocol: attributes.u8(IFA_PROTO) ?? 0,
  };
}

/** Bytes of an address of a family; 0 of one that we do not know. */
export function addressLength(family: number): number {
  return family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
}

function message(
  type: number,
  flags: number,
  index: number,
  { address, bits }: Prefix,
  options: AddressOptions = {},
): Uint8Array {
  const body = new Uint8Array(IFADDRMSG_LEN);
  body[0] = familyOf(address);
  body[1] = bits;
  const noDad = address.length === 16 ? IFA_F_NODAD : 0;
  body[2] = noDad;
  new DataView(body.buffer).setUint32(4, index, true);
  const writer = new MessageWriter(type, flags, body).attribute(IFA_LOCAL, address).attribute(IFA_ADDRESS, address);
  if (options.noPrefixRoute === true) writer.attributeU32(IFA_FLAGS, noDad | IFA_F_NOPREFIXROUTE);
  if (options.broadcast === true && address.length === 4 && bits < 31)
    writer.attribute(IFA_BROADCAST, lastOf(address, bits));
  if (options.protocol !== undefined) writer.attributeU8(IFA_PROTO, options.protocol);
  return writer.done();
}

function lastOf(address: Uint8Array, bits: number): Uint8Array {
  return address.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, bits - 8 * i))));
}
