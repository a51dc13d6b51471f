/**
 * Several sockets on one UDP port, one per thread, and a program in the kernel that says which of them gets a datagram. First read
 * SO_REUSEPORT and SO_ATTACH_REUSEPORT_CBPF in socket(7): the program sees the UDP payload and answers a number, and sockets are
 * numbered in the order in which they joined. It needs no privileges.
 */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { adoptMmsg, type BoundUdp, bindUdp } from './mmsg.ts';
import { errnoName } from './problems.ts';
import type { UdpOptions, UdpSocket } from './shape.ts';
import {
  loadSocketCalls,
  SO_ATTACH_REUSEPORT_CBPF,
  SO_REUSEPORT,
  SOL_SOCKET,
  type SocketNative,
  setLong,
} from './syscalls.ts';

export type { BoundUdp } from './mmsg.ts';

/** An instruction of the classic packet filter (struct sock_filter): code, jump if true, jump if false, operand. */
export type FilterRow = readonly [code: number, yes: number, no: number, k: number];

const FILTER_LEN = 8;
/** struct sock_fprog: count, and the address of the rows. */
const FPROG_LEN = 16;

/** Whether this machine can: the system calls are within reach, and the kernel takes a program. */
export function canSteer(program: readonly FilterRow[]): boolean {
  try {
    for (const bound of openSteered({ address: '127.0.0.1', port: 0 }, 2, program)) closeBound(bound);
    return true;
  } catch {
    return false;
  }
}

/**
 * Opens `count` sockets on one port; socket `i` gets the datagrams for which the program answers `i`. Nobody else may have the port:
 * the first is bound alone, and only then lets the others join. Throws ProblemError as `openUdp` does, and closes all.
 */
export function openSteered(options: UdpOptions, count: number, program: readonly FilterRow[]): BoundUdp[] {
  const native = calls();
  const first = bindUdp(native, options);
  const bound = [first];
  try {
    if (count > 1) {
      setReusePort(native, first.fd);
      while (bound.length < count) bound.push(bindUdp(native, { ...options, port: first.localPort }, true));
      attach(native, first.fd, program);
    }
    return bound;
  } catch (thrown) {
    for (const one of bound) native.calls.close(one.fd);
    throw thrown;
  }
}

/** The socket of a descriptor that another thread has opened. It is this thread's from now on. */
export function adoptUdp(bound: BoundUdp): UdpSocket {
  return adoptMmsg(calls(), bound);
}

/** Closes a descriptor that nobody has adopted. */
export function closeBound(bound: BoundUdp): void {
  calls().calls.close(bound.fd);
}

function calls(): SocketNative {
  const native = loadSocketCalls();
  if (native === null) throw new ProblemError(problem('internal', 'this machine has no socket calls within reach'));
  return native;
}

function setReusePort(native: SocketNative, fd: number): void {
  const value = new Int32Array([1]);
  const at = native.addresses.of(value.buffer);
  check(native, native.calls.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, at, 4), 'SO_REUSEPORT');
}

/** The kernel copies the program during the call. */
function attach(native: SocketNative, fd: number, program: readonly FilterRow[]): void {
  const memory = new ArrayBuffer(FPROG_LEN + FILTER_LEN * program.length);
  const view = new DataView(memory);
  const at = native.addresses.of(memory);
  view.setUint16(0, program.length, true);
  setLong(new Uint32Array(memory), 2, at + FPROG_LEN);
  program.forEach(([code, yes, no, k], i) => {
    const row = FPROG_LEN + i * FILTER_LEN;
    view.setUint16(row, code, true);
    view.setUint8(row + 2, yes);
    view.setUint8(row + 3, no);
    view.setUint32(row + 4, k, true);
  });
  const done = native.calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, at, FPROG_LEN);
  check(native, done, 'SO_ATTACH_REUSEPORT_CBPF');
}

function check(native: SocketNative, result: number, what: string): void {
  if (result === 0) return;
  const name = errnoName(native.native.koffi.errno());
  throw new ProblemError(problem('internal', `the system refuses ${what}: ${name}`));
}
