/** TUN and TAP devices. First read Documentation/networking/tuntap.rst of the kernel. */
import { closeSync, constants, openSync } from 'node:fs';
import { parseInterfaceName } from '@vrouter/core/names.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { errnoName } from '../udp/problems.ts';
import { DescriptorFrames } from './descriptor.ts';
import { noNative, tunProblem } from './problems.ts';
import type { FrameSocket } from './shape.ts';
import * as sys from './syscalls.ts';

export interface TunOptions {
  /** Name of the interface, which must be free. */
  readonly name: string;
  /** `tun` carries IP packets, `tap` Ethernet frames. */
  readonly kind: 'tun' | 'tap';
}

/**
 * Makes the device, down and without addresses, in the network namespace of this process; it goes when the socket is closed or the
 * process ends. Throws ProblemError: `name.invalid`, `port.denied`, `port.inUse`.
 */
export function openTun(options: TunOptions): FrameSocket {
  const name = parseInterfaceName(options.name, 'name');
  if (!name.ok) throw new ProblemError(name.error);
  const native = sys.loadFrameCalls();
  if (native === null) throw new ProblemError(noNative('a TUN interface'));
  const fd = openDevice(options.name);
  const request = new ArrayBuffer(sys.IFREQ_LEN);
  new TextEncoder().encodeInto(options.name, new Uint8Array(request, 0, sys.IFNAMSIZ - 1));
  const kind = options.kind === 'tun' ? sys.IFF_TUN : sys.IFF_TAP;
  new DataView(request).setInt16(sys.IFNAMSIZ, kind | sys.IFF_NO_PI | sys.IFF_TUN_EXCL, true);
  if (native.calls.ioctl(fd, sys.TUNSETIFF, native.addresses.of(request)) < 0) {
    const why = errnoName(native.native.koffi.errno());
    closeSync(fd);
    throw new ProblemError(tunProblem('name', why, options.name));
  }
  return new DescriptorFrames(native, fd);
}

function openDevice(name: string): number {
  try {
    return openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
    throw new ProblemError(tunProblem('open', code, name));
  }
}
