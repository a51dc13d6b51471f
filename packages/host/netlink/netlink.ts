/**
 * A netlink socket (netlink(7)). It knows no message: those are written and read in `drivers/linux/netlink`. The kernel has done what a
 * datagram asks for, and queued its answer, by the time that `send` returns; only news of a group come by themselves.
 */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';
import { ReadablePoll } from '../internal/poll.ts';
import { errnoName } from '../udp/problems.ts';
import { exceptFrom, filterProgram, SO_ATTACH_FILTER } from './filter.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const SOCKADDR_NL_LEN = 12;
const EAGAIN = 11;
const EINTR = 4;
const ENOBUFS = 105;
/** The kernel fills what it is given, up to 32 KiB for a dump; one message may be longer than that. */
const RECEIVE_BYTES = 256 * 1024;
const RECEIVE_QUEUE_BYTES = 8 * 1024 * 1024;

/** linux/netlink.h */
export const NetlinkProtocol = { route: 0, netfilter: 12, generic: 16 } as const;

interface SendCall {
  (fd: number, bytes: number, length: number, flags: number): number;
  /** On another thread; calls back on this one. */
  async(
    fd: number,
    bytes: number,
    length: number,
    flags: number,
    done: (error: Error | null, sent: number) => void,
  ): void;
}

interface NetlinkCalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  send: SendCall;
  recv(fd: number, bytes: number, length: number, flags: number): number;
  getsockname(fd: number, address: number, length: number): number;
  if_nametoindex(name: string): number;
  close(fd: number): number;
}

export interface NetlinkOptions {
  /** One of `NetlinkProtocol`; the routing family when nothing is said. */
  readonly protocol?: number;
  /** Groups whose news are wanted (rtnetlink.h, RTNLGRP_*). */
  readonly groups?: readonly number[];
  /** News of what was asked for by the socket of this number are left out, before they take room in the queue. */
  readonly deafTo?: number;
  /** Of the longest datagram that is sent; what the system gives when nothing is said, mostly 200 KiB. */
  readonly sendBytes?: number;
}

/** What came was more than the queue holds, and some is lost: look at all there is. */
export class NetlinkOverrun extends ProblemError {
  constructor() {
    super(problem('plane.failed', 'netlink: the kernel said more than the socket holds, and some is lost'));
  }
}

export class NetlinkSocket {
  /** Its own number, which the kernel says with news of what was asked for by it. */
  readonly port: number;
  readonly #native: Native;
  readonly #calls: NetlinkCalls;
  readonly #addresses: AddressBook;
  readonly #received: ArrayBuffer;
  #fd: number;
  #poll: ReadablePoll | null;

  /** `openNetlink` makes one. */
  constructor(native: Native, calls: NetlinkCalls, fd: number, port: number) {
    this.port = port;
    this.#native = native;
    this.#calls = calls;
    this.#addresses = new AddressBook(native);
    this.#received = new ArrayBuffer(RECEIVE_BYTES);
    this.#fd = fd;
    this.#poll = null;
  }

  /** Sends one datagram of messages. Throws ProblemError `plane.failed`. */
  send(bytes: Uint8Array): void {
    // A small array may move while the kernel reads it, unless its buffer is its own.
    const held = bytes.length > 64 && bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
    const at = this.#addresses.of(held.buffer) + held.byteOffset;
    if (this.#calls.send(this.#fd, at, held.length, 0) < 0) this.#refuse('send');
  }

  /** The same on another thread, for what the kernel takes its time for. Rejects with ProblemError `plane.failed`. */
  sendAside(bytes: Uint8Array): Promise<void> {
    const held = bytes.slice();
    return new Promise((resolve, reject) => {
      this.#calls.send.async(this.#fd, this.#addresses.of(held.buffer), held.length, 0, (error, sent) => {
        held.fill(0);
        if (error === null && sent >= 0) resolve();
        else reject(new ProblemError(problem('plane.failed', 'netlink: a request could not be sent')));
      });
    });
  }

  /**
   * The next datagram, valid until the next call; null when none waits. Throws ProblemError `plane.failed`, and `NetlinkOverrun` when some
   * were lost; those after them are still there.
   */
  receive(): Uint8Array | null {
    if (this.#fd < 0) return null;
    for (;;) {
      const length = this.#calls.recv(this.#fd, this.#addresses.of(this.#received), RECEIVE_BYTES, 0);
      if (length >= 0) return new Uint8Array(this.#received, 0, length);
      const errno = this.#native.koffi.errno();
      if (errno === EAGAIN) return null;
      if (errno === ENOBUFS) throw new NetlinkOverrun();
      if (errno !== EINTR) this.#refuse('recv');
    }
  }

  /** Calls back when there is something to receive, until `close`. Once. */
  onReadable(callback: () => void): void {
    if (this.#poll !== null) throw new Error('the socket has a callback already');
    if (this.#fd >= 0) this.#poll = new ReadablePoll(this.#native, this.#fd, callback);
  }

  /** The kernel's number of an interface of this process's namespace; 0 when there is none. */
  indexOf(name: string): number {
    return this.#calls.if_nametoindex(name);
  }

  /** Safe to call again. */
  close(): void {
    this.#poll?.close();
    if (this.#fd >= 0) this.#calls.close(this.#fd);
    this.#fd = -1;
  }

  #refuse(call: string): never {
    const why = errnoName(this.#native.koffi.errno());
    throw new ProblemError(problem('plane.failed', `netlink: ${call} says ${why}`));
  }
}

/** Opens one in the network namespace of this process. Throws ProblemError `plane.failed`. */
export function openNetlink(options: NetlinkOptions = {}): NetlinkSocket {
  const native = process.platform === 'linux' ? loadNative() : null;
  const calls =
    native === null
      ? null
      : loadFunctions<NetlinkCalls>(native.self, {
          socket: ['int', ['int', 'int', 'int']],
          bind: ['int', ['int', 'uint64_t', 'uint']],
          setsockopt: ['int', ['int', 'int', 'int', 'uint64_t', 'uint']],
          send: ['long', ['int', 'uint64_t', 'ulong', 'int']],
          recv: ['long', ['int', 'uint64_t', 'ulong', 'int']],
          getsockname: ['int', ['int', 'uint64_t', 'uint64_t']],
          if_nametoindex: ['uint', ['str']],
          close: ['int', ['int']],
        });
  if (native === null || calls === null)
    throw new ProblemError(problem('plane.failed', 'netlink needs Linux and the package koffi'));
  const addresses = new AddressBook(native);
  const protocol = options.protocol ?? NetlinkProtocol.route;
  const fd = calls.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  const sockaddr = new ArrayBuffer(SOCKADDR_NL_LEN);
  new DataView(sockaddr).setUint16(0, AF_NETLINK, true);
  if (fd < 0 || calls.bind(fd, addresses.of(sockaddr), SOCKADDR_NL_LEN) < 0) {
    const why = errnoName(native.koffi.errno());
    if (fd >= 0) calls.close(fd);
    const lacks = why === 'EPROTONOSUPPORT' && protocol === NetlinkProtocol.netfilter;
    const hint = lacks ? '; this kernel has no netfilter, or not its module nfnetlink' : '';
    throw new ProblemError(problem('plane.failed', `there is no netlink socket: ${why}${hint}`));
  }
  const value = new ArrayBuffer(4);
  const set = (level: number, name: number, to: number): boolean => {
    new DataView(value).setInt32(0, to, true);
    return calls.setsockopt(fd, level, name, addresses.of(value), 4) === 0;
  };
  // Kernels that do not know one of these say less in errors, or more in dumps.
  set(SOL_NETLINK, NETLINK_CAP_ACK, 1);
  set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
  set(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  // The forced form needs CAP_NET_ADMIN and passes over the system's limit.
  if (!set(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_QUEUE_BYTES)) set(SOL_SOCKET, SO_RCVBUF, RECEIVE_QUEUE_BYTES);
  if (options.deafTo !== undefined) {
    const program = filterProgram(exceptFrom(options.deafTo), addresses);
    calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, addresses.of(program.header), program.header.byteLength);
  }
  // The kernel doubles it, for what it keeps beside the bytes.
  const { sendBytes } = options;
  if (sendBytes !== undefined && !set(SOL_SOCKET, SO_SNDBUFFORCE, sendBytes)) set(SOL_SOCKET, SO_SNDBUF, sendBytes);
  for (const group of options.groups ?? [])
    if (!set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)) {
      calls.close(fd);
      throw new ProblemError(problem('plane.failed', `netlink: the kernel has no news of group ${group}`));
    }
  const length = new ArrayBuffer(4);
  new DataView(length).setUint32(0, SOCKADDR_NL_LEN, true);
  calls.getsockname(fd, addresses.of(sockaddr), addresses.of(length));
  return new NetlinkSocket(native, calls, fd, new DataView(sockaddr).getUint32(4, true));
}
