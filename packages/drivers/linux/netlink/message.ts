/**
 * Netlink messages, as the kernel reads and writes them (include/uapi/linux/netlink.h). Numbers are in the machine's own order, which is
 * little-endian on all that we run on; addresses inside are in network order, as everywhere.
 *
 *      0               4       6       8               12              16
 *      | length        | type  | flags | sequence      | port          | body, then attributes, each padded to 4 bytes
 */

export const NLMSG_HEADER_LEN = 16;
export const ATTRIBUTE_HEADER_LEN = 4;

/** Message types: of netlink itself, and of its routing family (rtnetlink.h). */
export const MessageType = {
  error: 2,
  done: 3,
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  deleteNeighbour: 29,
  getNeighbour: 30,
  newRule: 32,
  deleteRule: 33,
  getRule: 34,
  newNetconf: 80,
} as const;

export const MessageFlag = {
  request: 0x001,
  ack: 0x004,
  /** Of an answer: what is dumped changed in between. */
  dumpInterrupted: 0x010,
  /** Of a question: all there is. */
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
  /** Of an error: the request is not repeated in full, and attributes follow. */
  capped: 0x100,
  ackTlvs: 0x200,
} as const;

/** nla_type says with these that attributes are inside, and that the value is in network order. */
export const NLA_F_NESTED = 0x8000;
export const NLA_F_NET_BYTEORDER = 0x4000;
export const NLA_TYPE_MASK = 0x3fff;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;

/** The kernel's number of an address family. */
export function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF_INET : AF_INET6;
}

/** Length with the padding that follows an attribute or a message. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** As much as most messages need. */
const BYTES = 256;
/** Room of writers that are done: making it anew for each of a million routes would be most of the work. */
const spare: Uint8Array[] = [];
const nothing = new Uint8Array(0);

/** Writes one message; it grows as needed. Sequence and port are whoever's who sends it. */
export class MessageWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length: number;

  /** `body` is the family's fixed part, `flags` come on top of `request`. */
  constructor(type: number, flags: number, body: Uint8Array) {
    this.#bytes = spare.pop() ?? new Uint8Array(BYTES);
    this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, MessageFlag.request | flags, true);
    this.#bytes.set(body, NLMSG_HEADER_LEN);
    this.#length = aligned(NLMSG_HEADER_LEN + body.length);
  }

  attribute(type: number, value: Uint8Array): this {
    const at = this.#head(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  attributeU8(type: number, value: number): this {
    const at = this.#head(type, 1);
    this.#bytes[at] = value;
    return this;
  }

  attributeU16(type: number, value: number): this {
    const at = this.#head(type, 2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  attributeU32(type: number, value: number): this {
    const at = this.#head(type, 4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** In network order, as ports and VLAN protocols are. */
  attributeBe16(type: number, value: number): this {
    const at = this.#head(type, 2);
    this.#view.setUint16(at, value, false);
    return this;
  }

  /** In network order, as all numbers of netfilter are. */
  attributeBe32(type: number, value: number): this {
    const at = this.#head(type, 4);
    this.#view.setUint32(at, value, false);
    return this;
  }

  /** Names end with a zero byte (NLA_NUL_STRING). */
  attributeName(type: number, name: string): this {
    const bytes = new TextEncoder().encode(name);
    const at = this.#head(type, bytes.length + 1);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** An attribute that holds what `write` writes. */
  nested(type: number, write: (inside: this) => void): this {
    const begin = this.#length;
    this.#head(type | NLA_F_NESTED, 0);
    write(this);
    this.#view.setUint16(begin, this.#length - begin, true);
    return this;
  }

  /** Bytes as they are, such as a structure among nested attributes. Returns where they lie, for `patchU16`. */
  raw(bytes: Uint8Array): number {
    const at = this.#length;
    this.#grow(aligned(bytes.length));
    this.#bytes.set(bytes, at);
    this.#length += aligned(bytes.length);
    return at;
  }

  /** Bytes written since `at`. */
  since(at: number): number {
    return this.#length - at;
  }

  /** Writes a length that was not known when its place was written. */
  patchU16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }

  done(): Uint8Array {
    this.#view.setUint32(0, this.#length, true);
    const message = this.#bytes.slice(0, this.#length);
    // What was written may have been a key.
    this.#bytes.fill(0, 0, this.#length);
    if (this.#bytes.length === BYTES) spare.push(this.#bytes);
    this.#bytes = nothing;
    return message;
  }

  /** Where the value goes. The bytes may be others afterwards, so it is asked for before they are. */
  #head(type: number, length: number): number {
    this.#grow(ATTRIBUTE_HEADER_LEN + aligned(length));
    const at = this.#length;
    this.#view.setUint16(at, ATTRIBUTE_HEADER_LEN + length, true);
    this.#view.setUint16(at + 2, type, true);
    this.#length = at + ATTRIBUTE_HEADER_LEN + aligned(length);
    return at + ATTRIBUTE_HEADER_LEN;
  }

  #grow(by: number): void {
    if (this.#length + by <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, aligned(this.#length + by)));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
