/** Ethernet frames of an interface that is there already. First read packet(7). */
import { parseInterfaceName } from '@vrouter/core/names.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { errnoName } from '../udp/problems.ts';
import { DescriptorFrames } from './descriptor.ts';
import { noNative, packetProblem } from './problems.ts';
import type { FrameSocket } from './shape.ts';
import * as sys from './syscalls.ts';

export interface PacketOptions {
  readonly interface: string;
  /** Sockets with the same number share the interface's frames; a flow stays with one of them. */
  readonly fanoutGroup?: number;
}

/**
 * Opens a packet socket: all frames that come in by the interface, none that leave by it. The host's own stack sees them too. Throws
 * ProblemError: `name.invalid`, `port.denied`, `interface.notFound`.
 */
export function openPacket(options: PacketOptions): FrameSocket {
  const name = parseInterfaceName(options.interface, 'interface');
  if (!name.ok) throw new ProblemError(name.error);
  const native = sys.loadFrameCalls();
  if (native === null) throw new ProblemError(noNative('a packet socket'));
  const { calls, addresses } = native;
  const refuse = (): never => {
    throw new ProblemError(packetProblem(errnoName(native.native.koffi.errno()), options.interface));
  };
  // Protocol 0 hears nothing until bind: no frame of another interface slips in between.
  const fd = calls.socket(sys.AF_PACKET, sys.SOCK_RAW | sys.SOCK_NONBLOCK | sys.SOCK_CLOEXEC, 0);
  if (fd < 0) refuse();
  try {
    const index = calls.if_nametoindex(options.interface);
    if (index === 0) refuse();
    const scratch = new ArrayBuffer(32);
    const view = new DataView(scratch);
    const at = addresses.of(scratch);
    view.setInt32(24, 1, true);
    if (calls.setsockopt(fd, sys.SOL_PACKET, sys.PACKET_IGNORE_OUTGOING, at + 24, 4) < 0) refuse();
    view.setUint16(0, sys.AF_PACKET, true);
    view.setUint16(2, sys.ETH_P_ALL, false);
    view.setInt32(4, index, true);
    if (calls.bind(fd, at, sys.SOCKADDR_LL_LEN) < 0) refuse();
    if (options.fanoutGroup !== undefined) {
      // Mode 0 is by flow.
      view.setInt32(24, options.fanoutGroup & 0xffff, true);
      if (calls.setsockopt(fd, sys.SOL_PACKET, sys.PACKET_FANOUT, at + 24, 4) < 0) refuse();
    }
    return new DescriptorFrames(native, fd);
  } catch (thrown) {
    calls.close(fd);
    throw thrown;
  }
}
