/** The calls on VSOCK sockets, and struct sockaddr_vm (linux/vm_sockets.h; vsock(7)). */
import { constants } from 'node:os';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';

export const errno = constants.errno;

export const AF_VSOCK = 40;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_NOSIGNAL = 0x4000;
export const SHUT_WR = 1;
export const SOL_SOCKET = 1;
export const SO_ERROR = 4;

/** Every context of this machine; whichever port is free. */
export const VMADDR_CID_ANY = 0xffff_ffff;
export const VMADDR_PORT_ANY = 0xffff_ffff;
/** This machine itself, and the one that hosts it. */
export const VMADDR_CID_LOCAL = 1;
export const VMADDR_CID_HOST = 2;

/** struct sockaddr_vm: 0 family (16 bits) | 4 port | 8 context id | 12 flags and zeros. */
export const SOCKADDR_VM_LEN = 16;

export interface VsockCalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  listen(fd: number, backlog: number): number;
  connect(fd: number, address: number, length: number): number;
  accept4(fd: number, address: number, length: number, flags: number): number;
  getsockname(fd: number, address: number, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  recv(fd: number, bytes: number, length: number, flags: number): number;
  send(fd: number, bytes: number, length: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
}

export interface VsockNative {
  readonly native: Native;
  readonly calls: VsockCalls;
  readonly addresses: AddressBook;
}

const P = 'uint64_t';
const memo: { calls?: VsockNative | null } = {};

/** The calls. Throws ProblemError `port.denied` where this is no Linux, or has no koffi. */
export function loadVsock(): VsockNative {
  if (memo.calls === undefined) memo.calls = load();
  if (memo.calls === null) throw new ProblemError(problem('port.denied', 'VSOCK needs Linux and the package koffi'));
  return memo.calls;
}

function load(): VsockNative | null {
  const native = process.platform === 'linux' ? loadNative() : null;
  if (native === null) return null;
  const calls = loadFunctions<VsockCalls>(native.self, {
    socket: ['int', ['int', 'int', 'int']],
    bind: ['int', ['int', P, 'uint']],
    listen: ['int', ['int', 'int']],
    connect: ['int', ['int', P, 'uint']],
    accept4: ['int', ['int', P, P, 'int']],
    getsockname: ['int', ['int', P, P]],
    getsockopt: ['int', ['int', 'int', 'int', P, P]],
    recv: ['long', ['int', P, 'ulong', 'int']],
    send: ['long', ['int', P, 'ulong', 'int']],
    shutdown: ['int', ['int', 'int']],
    close: ['int', ['int']],
  });
  return calls === null ? null : { native, calls, addresses: new AddressBook(native) };
}

/** A sockaddr_vm and its length in memory that stays where it is: for calls that read it, and for those that write it. */
export class VsockAddress {
  readonly #view = new DataView(new ArrayBuffer(SOCKADDR_VM_LEN + 4));
  /** Address of the structure, and of the length behind it. */
  readonly at: number;
  readonly lengthAt: number;

  constructor(native: VsockNative) {
    this.at = native.addresses.of(this.#view.buffer);
    this.lengthAt = this.at + SOCKADDR_VM_LEN;
  }

  set(cid: number, port: number): void {
    this.#view.setUint16(0, AF_VSOCK, true);
    this.#view.setUint32(4, port, true);
    this.#view.setUint32(8, cid, true);
  }

  /** Before a call that writes an address here. */
  expect(): void {
    this.#view.setUint32(SOCKADDR_VM_LEN, SOCKADDR_VM_LEN, true);
  }

  get port(): number {
    return this.#view.getUint32(4, true);
  }

  get cid(): number {
    return this.#view.getUint32(8, true);
  }
}
