/** Ethernet frames of an interface that is there already. First read packet(7). */
import { parseInterfaceName } from '@vrouter/core/names.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { errnoName } from '../udp/problems.ts';
import { loadSocketCalls, type SocketNative as MmsgNative } from '../udp/syscalls.ts';
import { type Interface, readInterface } from './interface.ts';
import { PacketSocket } from './packet-socket.ts';
import { noNative, packetProblem } from './problems.ts';
import * as sys from './syscalls.ts';

export interface PacketOptions {
  readonly interface: string;
  /** Sockets with the same number share the interface's frames; a flow stays with one of them. */
  readonly fanoutGroup?: number;
  /** An address of ours beside the interface's own: frames for it are taken too. */
  readonly mac?: Uint8Array;
  /** Frames of this VLAN alone, which come and go without their tag; left out: those without a tag alone. */
  readonly vlan?: number;
  /** Share the kernel's offloads where it can: frames begin with a virtio_net header both ways, `vnetHeader` says so. */
  readonly offloads?: boolean;
}

/** Frames may wait in the kernel in these many bytes; a super-frame counts as it is. */
const BUFFER_BYTES = 4 << 20;
const SCRATCH_BYTES = 64;
const VALUE_AT = 32;

/**
 * Opens a packet socket: all frames that come in by the interface, none that leave by it. The host's own stack sees them too. Throws
 * ProblemError: `name.invalid`, `port.denied`, `interface.notFound`.
 */
export function openPacket(options: PacketOptions): PacketSocket {
  const name = parseInterfaceName(options.interface, 'interface');
  if (!name.ok) throw new ProblemError(name.error);
  const frames = sys.loadFrameCalls();
  const mmsg = loadSocketCalls();
  if (frames === null || mmsg === null) throw new ProblemError(noNative('a packet socket'));
  const { calls } = frames;
  // Protocol 0 hears nothing until bind: no frame of another interface slips in between.
  const fd = calls.socket(sys.AF_PACKET, sys.SOCK_RAW | sys.SOCK_NONBLOCK | sys.SOCK_CLOEXEC, 0);
  if (fd < 0) refuse(frames, options.interface);
  try {
    const found = readInterface(frames, fd, options.interface);
    if (found === null) return refuse(frames, options.interface);
    const vnetHeader = prepare(frames, mmsg, fd, found, options);
    return new PacketSocket(frames, mmsg, fd, found, vnetHeader, options.vlan ?? 0);
  } catch (thrown) {
    calls.close(fd);
    throw thrown;
  }
}

/** Sets the options and binds; whether frames come with a virtio_net header. */
function prepare(
  frames: sys.FrameNative,
  mmsg: MmsgNative,
  fd: number,
  found: Interface,
  options: PacketOptions,
): boolean {
  const { calls, addresses } = frames;
  const scratch = new ArrayBuffer(SCRATCH_BYTES);
  const view = new DataView(scratch);
  const at = addresses.of(scratch);
  const set = (name: number, value: number): boolean => {
    view.setInt32(VALUE_AT, value, true);
    return calls.setsockopt(fd, sys.SOL_PACKET, name, at + VALUE_AT, 4) === 0;
  };
  const buffer = (forced: number, plain: number): void => {
    view.setInt32(VALUE_AT, BUFFER_BYTES, true);
    if (mmsg.calls.setsockopt(fd, sys.SOL_SOCKET, forced, at + VALUE_AT, 4) < 0)
      mmsg.calls.setsockopt(fd, sys.SOL_SOCKET, plain, at + VALUE_AT, 4);
  };
  const join = (type: number, mac: Uint8Array | null): void => {
    view.setInt32(0, found.index, true);
    view.setUint16(4, type, true);
    view.setUint16(6, mac === null ? 0 : mac.length, true);
    new Uint8Array(scratch, 8, 8).set(mac ?? new Uint8Array(6));
    // An interface without groups (a TUN) has no use for them.
    calls.setsockopt(fd, sys.SOL_PACKET, sys.PACKET_ADD_MEMBERSHIP, at, 16);
  };
  if (!set(sys.PACKET_IGNORE_OUTGOING, 1)) refuse(frames, options.interface);
  // The tag of a VLAN is taken off frames, and without this nobody would know that it was there.
  if (!set(sys.PACKET_AUXDATA, 1)) refuse(frames, options.interface);
  const vnetHeader = options.offloads === true && set(sys.PACKET_VNET_HDR, 1);
  buffer(sys.SO_RCVBUFFORCE, sys.SO_RCVBUF);
  buffer(sys.SO_SNDBUFFORCE, sys.SO_SNDBUF);
  join(sys.PACKET_MR_ALLMULTI, null);
  if (options.mac !== undefined) join(sys.PACKET_MR_UNICAST, options.mac);
  new Uint8Array(scratch).fill(0);
  view.setUint16(0, sys.AF_PACKET, true);
  view.setUint16(2, sys.ETH_P_ALL, false);
  view.setInt32(4, found.index, true);
  if (calls.bind(fd, at, sys.SOCKADDR_LL_LEN) < 0) refuse(frames, options.interface);
  // Mode 0 is by flow.
  if (options.fanoutGroup !== undefined && !set(sys.PACKET_FANOUT, options.fanoutGroup & 0xffff))
    refuse(frames, options.interface);
  return vnetHeader;
}

function refuse(frames: sys.FrameNative, name: string): never {
  throw new ProblemError(packetProblem(errnoName(frames.native.koffi.errno()), name));
}
