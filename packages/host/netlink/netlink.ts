/**
 * A netlink socket of the kernel's routing family. The kernel has done what a request asks for, and queued its answer, by the time that
 * `send` returns (netlink(7)), so an exchange waits for nothing.
 */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';
import { errnoName } from '../udp/problems.ts';

const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_TRUNC = 0x20;
const SOCKADDR_NL_LEN = 12;
/** What the kernel puts into one datagram at most. */
const ANSWER_BYTES = 64 * 1024;

interface NetlinkCalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  send(fd: number, bytes: number, length: number, flags: number): number;
  recv(fd: number, bytes: number, length: number, flags: number): number;
  if_nametoindex(name: string): number;
  close(fd: number): number;
}

export class NetlinkSocket {
  readonly #native: Native;
  readonly #calls: NetlinkCalls;
  readonly #addresses: AddressBook;
  readonly #answer = new ArrayBuffer(ANSWER_BYTES);
  #fd: number;

  /** `openNetlink` makes one. */
  constructor(native: Native, calls: NetlinkCalls, fd: number) {
    this.#native = native;
    this.#calls = calls;
    this.#addresses = new AddressBook(native);
    this.#fd = fd;
  }

  /** Sends messages and gives the bytes of the first answer. Throws ProblemError `plane.failed`. */
  exchange(messages: Uint8Array): Uint8Array {
    // A copy that starts at byte 0 of its buffer and is held until the call is over.
    const { buffer } = messages.slice();
    const { send, recv } = this.#calls;
    if (send(this.#fd, this.#addresses.of(buffer), messages.length, 0) < 0) this.#refuse('send');
    const length = recv(this.#fd, this.#addresses.of(this.#answer), ANSWER_BYTES, MSG_TRUNC);
    if (length < 0) this.#refuse('recv');
    return new Uint8Array(this.#answer.slice(0, Math.min(length, ANSWER_BYTES)));
  }

  /** The kernel's number of an interface of this process's namespace; 0 when there is none. */
  indexOf(name: string): number {
    return this.#calls.if_nametoindex(name);
  }

  /** Safe to call again. */
  close(): void {
    if (this.#fd >= 0) this.#calls.close(this.#fd);
    this.#fd = -1;
  }

  #refuse(call: string): never {
    const why = errnoName(this.#native.koffi.errno());
    throw new ProblemError(problem('plane.failed', `netlink: ${call} says ${why}`));
  }
}

/** Opens one in the network namespace of this process. Throws ProblemError `plane.failed`. */
export function openNetlink(): NetlinkSocket {
  const native = process.platform === 'linux' ? loadNative() : null;
  const calls =
    native === null
      ? null
      : loadFunctions<NetlinkCalls>(native.self, {
          socket: ['int', ['int', 'int', 'int']],
          bind: ['int', ['int', 'uint64_t', 'uint']],
          send: ['long', ['int', 'uint64_t', 'ulong', 'int']],
          recv: ['long', ['int', 'uint64_t', 'ulong', 'int']],
          if_nametoindex: ['uint', ['str']],
          close: ['int', ['int']],
        });
  if (native === null || calls === null)
    throw new ProblemError(problem('plane.failed', 'netlink needs Linux and the package koffi'));
  const fd = calls.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  const sockaddr = new ArrayBuffer(SOCKADDR_NL_LEN);
  new DataView(sockaddr).setUint16(0, AF_NETLINK, true);
  if (fd < 0 || calls.bind(fd, new AddressBook(native).of(sockaddr), SOCKADDR_NL_LEN) < 0) {
    const why = errnoName(native.koffi.errno());
    if (fd >= 0) calls.close(fd);
    throw new ProblemError(problem('plane.failed', `there is no netlink socket: ${why}`));
  }
  return new NetlinkSocket(native, calls, fd);
}
