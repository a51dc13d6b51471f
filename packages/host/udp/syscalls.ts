/** The socket calls, and the layouts of what they take: struct msghdr, iovec, cmsghdr (x86-64 and arm64 alike). */
import { constants } from 'node:os';
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';

export const errno = constants.errno;

/** asm-generic/socket.h, linux/in.h, linux/in6.h, linux/udp.h */
export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_REUSEPORT = 15;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_ATTACH_REUSEPORT_CBPF = 51;
export const IPPROTO_IP = 0;
export const IP_PKTINFO = 8;
export const IP_MTU = 14;
export const IPPROTO_IPV6 = 41;
export const IPV6_MTU = 24;
export const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

/**
 * struct mmsghdr, in 32-bit words:
 *
 *     0 name | 2 name length | 4 iovec | 6 iovec count | 8 control | 10 control length | 12 flags | 14 bytes received or sent
 */
export const MMSGHDR_LEN = 64;
export const MMSGHDR_WORDS = 16;
export const NAME = 0;
export const NAME_LEN = 2;
export const IOV = 4;
export const IOV_COUNT = 6;
export const CONTROL = 8;
export const CONTROL_LEN = 10;
export const MSG_LEN = 14;

/** struct iovec: base and length, 64 bits each. */
export const IOVEC_LEN = 16;

/** struct cmsghdr, in words: 0 length | 2 level | 3 type | 4 data. */
export const CMSG_HEADER_LEN = 16;

export interface SocketCalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  connect(fd: number, address: number, length: number): number;
  getsockname(fd: number, address: number, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  recvmmsg(fd: number, messages: number, count: number, flags: number, timeout: number): number;
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  close(fd: number): number;
}

export interface SocketNative {
  readonly native: Native;
  readonly calls: SocketCalls;
  readonly addresses: AddressBook;
}

const P = 'uint64_t';
const memo: { calls?: SocketNative | null } = {};

/** The calls, or null where this is no Linux whose layouts we know, or has no koffi. */
export function loadSocketCalls(): SocketNative | null {
  if (memo.calls === undefined) memo.calls = find();
  return memo.calls;
}

function find(): SocketNative | null {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  const native = loadNative();
  if (native === null) return null;
  const calls = loadFunctions<SocketCalls>(native.self, {
    socket: ['int', ['int', 'int', 'int']],
    bind: ['int', ['int', P, 'uint']],
    connect: ['int', ['int', P, 'uint']],
    getsockname: ['int', ['int', P, P]],
    setsockopt: ['int', ['int', 'int', 'int', P, 'uint']],
    getsockopt: ['int', ['int', 'int', 'int', P, P]],
    recvmmsg: ['int', ['int', P, 'uint', 'int', P]],
    sendmmsg: ['int', ['int', P, 'uint', 'int']],
    close: ['int', ['int']],
  });
  return calls === null ? null : { native, calls, addresses: new AddressBook(native) };
}

/** Writes a 64-bit pointer or size, low word first. */
export function setLong(words: Uint32Array, at: number, value: number): void {
  words[at] = value >>> 0;
  words[at + 1] = value / 0x1_0000_0000;
}
