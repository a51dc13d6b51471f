/**
 * Netlink messages, as the kernel reads and writes them (include/uapi/linux/netlink.h). Numbers are in the machine's own order, which is
 * little-endian on all that we run on; addresses inside are in network order, as everywhere.
 *
 *      0               4       6       8               12              16
 *      | length        | type  | flags | sequence      | port          | body, then attributes, each padded to 4 bytes
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';

export const NLMSG_HEADER_LEN = 16;
const ATTRIBUTE_HEADER_LEN = 4;

/** Message types: of netlink itself, and of its routing family (rtnetlink.h). */
export const MessageType = {
  error: 2,
  newLink: 16,
  newAddress: 20,
  deleteAddress: 21,
  newRoute: 24,
  deleteRoute: 25,
} as const;

export const MessageFlag = { request: 0x001, ack: 0x004, exclusive: 0x200, create: 0x400 } as const;

export const AF_INET = 2;
export const AF_INET6 = 10;

/** The kernel's number of an address family. */
export function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF_INET : AF_INET6;
}

/** Writes one message. */
export class MessageWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #length: number;

  /** `body` is the family's fixed part, `flags` come on top of request and ack. */
  constructor(type: number, flags: number, body: Uint8Array) {
    this.#bytes = new Uint8Array(256);
    this.#view = new DataView(this.#bytes.buffer);
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, MessageFlag.request | MessageFlag.ack | flags, true);
    this.#bytes.set(body, NLMSG_HEADER_LEN);
    this.#length = NLMSG_HEADER_LEN + body.length;
  }

  attribute(type: number, value: Uint8Array): this {
    this.#view.setUint16(this.#length, ATTRIBUTE_HEADER_LEN + value.length, true);
    this.#view.setUint16(this.#length + 2, type, true);
    this.#bytes.set(value, this.#length + ATTRIBUTE_HEADER_LEN);
    this.#length += (ATTRIBUTE_HEADER_LEN + value.length + 3) & ~3;
    return this;
  }

  attributeU32(type: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return this.attribute(type, bytes);
  }

  done(): Uint8Array {
    this.#view.setUint32(0, this.#length, true);
    return this.#bytes.slice(0, this.#length);
  }
}

/** What the kernel said to one request: 0 is done, otherwise a positive errno. Null: this is no such answer. */
export function parseAck(bytes: Uint8Array): number | null {
  if (bytes.length < NLMSG_HEADER_LEN + 4) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(0, true);
  if (length < NLMSG_HEADER_LEN + 4 || length > bytes.length || view.getUint16(4, true) !== MessageType.error)
    return null;
  const error = view.getInt32(NLMSG_HEADER_LEN, true);
  return error > 0 ? null : Math.abs(error);
}

/** What this needs of a netlink socket; `host/netlink` happens to have it. */
export interface NetlinkSocket {
  /** Sends messages and gives the bytes of the first answer. */
  exchange(messages: Uint8Array): Uint8Array;
  /** The kernel's number of an interface; 0 when there is none. */
  indexOf(name: string): number;
}

/** errno.h, those that people can do something about. */
export const Errno = { EPERM: 1, ESRCH: 3, EACCES: 13, EEXIST: 17, ENODEV: 19, EADDRNOTAVAIL: 99 } as const;

/** Does one request; null when done. `settled`: errnos that mean it is as wanted already. */
export function ask(
  socket: NetlinkSocket,
  message: Uint8Array,
  what: string,
  settled: readonly number[] = [],
): Problem | null {
  const errno = parseAck(socket.exchange(message));
  if (errno === null) return problem('plane.failed', `${what}: the kernel's answer is not understood`);
  if (errno === 0 || settled.includes(errno)) return null;
  if (errno === Errno.EPERM)
    return problem('port.denied', `${what} needs privileges: start it as root, or give it CAP_NET_ADMIN`);
  if (errno === Errno.EEXIST) return problem('object.exists', `${what}: the host has one already`);
  if (errno === Errno.EACCES)
    return problem('plane.failed', `${what}: the kernel refuses (is IPv6 off? sysctl net.ipv6.conf.all.disable_ipv6)`);
  const name = Object.entries(Errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
  return problem('plane.failed', `${what}: the kernel says ${name}`);
}
