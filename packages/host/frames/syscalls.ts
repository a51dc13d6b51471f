/** The calls that frame sockets are made of, and the numbers that they take (linux/if_tun.h, linux/if_packet.h). */
import { constants } from 'node:os';
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';

export const errno = constants.errno;
/** What a TUN descriptor answers when its device was deleted. Not among Node's constants. */
export const EBADFD = 77;

export const TUNSETIFF = 0x400454ca;
export const TUNSETPERSIST = 0x400454cb;
export const TUNGETFEATURES = 0x800454cf;
export const TUNSETOFFLOAD = 0x400454d0;
export const IFF_TUN = 0x0001;
export const IFF_TAP = 0x0002;
export const IFF_NO_PI = 0x1000;
/** Frames have a struct virtio_net_hdr in front, ten bytes if nobody says otherwise. */
export const IFF_VNET_HDR = 0x4000;
/** What the reader of a device does itself; the segmentations need the checksum. */
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_TSO_ECN = 0x08;
/** Since Linux 6.2. */
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;
/** The device is new or an orphan of ours, never one that another program made persistent and waits for. */
export const IFF_TUN_EXCL = 0x8000;
/** struct ifreq: name, then a union. */
export const IFREQ_LEN = 40;
export const IFNAMSIZ = 16;
/** asm-generic/fcntl.h, the same on x86-64 and arm64. */
export const O_RDWR = 0o2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
/** linux/sockios.h and linux/if.h */
export const SIOCGIFFLAGS = 0x8913;
export const SIOCGIFMTU = 0x8921;
export const SIOCGIFHWADDR = 0x8927;
export const IFF_UP = 0x1;
export const IFF_RUNNING = 0x40;

export const AF_PACKET = 17;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const ETH_P_ALL = 0x0003;
export const SOL_PACKET = 263;
export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const PACKET_ADD_MEMBERSHIP = 1;
export const PACKET_AUXDATA = 8;
export const PACKET_VNET_HDR = 15;
export const PACKET_FANOUT = 18;
export const PACKET_MR_ALLMULTI = 2;
export const PACKET_MR_UNICAST = 3;
export const TP_STATUS_VLAN_VALID = 1 << 4;
export const TP_STATUS_VLAN_TPID_VALID = 1 << 6;
export const ETH_P_8021Q = 0x8100;
export const PACKET_IGNORE_OUTGOING = 23;
export const SOCKADDR_LL_LEN = 20;
/** struct iovec: base and length, 64 bits each. */
export const IOVEC_LEN = 16;

export interface FrameCalls {
  ioctl(fd: number, request: number, argument: number): number;
  read(fd: number, bytes: number, length: number): number;
  write(fd: number, bytes: number, length: number): number;
  writev(fd: number, iovecs: number, count: number): number;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  if_nametoindex(name: string): number;
  open(path: string, flags: number): number;
  close(fd: number): number;
}

export interface FrameNative {
  readonly native: Native;
  readonly calls: FrameCalls;
  readonly addresses: AddressBook;
}

const P = 'uint64_t';
const memo: { calls?: FrameNative | null } = {};

/** The calls, or null where this is no Linux whose layouts we know, or has no koffi. */
export function loadFrameCalls(): FrameNative | null {
  if (memo.calls === undefined) memo.calls = load();
  return memo.calls;
}

function load(): FrameNative | null {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return null;
  const native = loadNative();
  if (native === null) return null;
  const calls = loadFunctions<FrameCalls>(native.self, {
    ioctl: ['int', ['int', 'ulong', P]],
    read: ['long', ['int', P, 'ulong']],
    write: ['long', ['int', P, 'ulong']],
    writev: ['long', ['int', P, 'int']],
    socket: ['int', ['int', 'int', 'int']],
    bind: ['int', ['int', P, 'uint']],
    setsockopt: ['int', ['int', 'int', 'int', P, 'uint']],
    if_nametoindex: ['uint', ['str']],
    open: ['int', ['str', 'int']],
    close: ['int', ['int']],
  });
  return calls === null ? null : { native, calls, addresses: new AddressBook(native) };
}
