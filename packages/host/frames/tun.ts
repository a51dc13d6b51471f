/** TUN and TAP devices. First read Documentation/networking/tuntap.rst of the kernel. */
import { parseInterfaceName } from '@vrouter/core/names.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { errnoName } from '../udp/problems.ts';
import { DescriptorFrames } from './descriptor.ts';
import { noNative, tunProblem } from './problems.ts';
import type { Offloads } from './shape.ts';
import * as sys from './syscalls.ts';

export interface TunOptions {
  /** Name of the interface, which must be free. */
  readonly name: string;
  /** `tun` carries IP packets, `tap` Ethernet frames. */
  readonly kind: 'tun' | 'tap';
  /** Share the kernel's offloads if it can: frames then begin with a virtio-net header. */
  readonly offloads?: boolean;
}

/** Bits to ask for, best first; the kernel takes all of them or none. */
const SEGMENTATION = sys.TUN_F_CSUM | sys.TUN_F_TSO4 | sys.TUN_F_TSO6 | sys.TUN_F_TSO_ECN;
const wishes: readonly (readonly [bits: number, offloads: Offloads])[] = [
  [SEGMENTATION | sys.TUN_F_USO4 | sys.TUN_F_USO6, { tcp: true, udp: true }],
  [SEGMENTATION, { tcp: true, udp: false }],
];

/**
 * Makes the device, down and without addresses, in the network namespace of this process; it goes when the socket is closed or the
 * process ends. Whether it shares offloads is in `offloads` of what it returns. Throws ProblemError: `name.invalid`, `port.denied`, `port.inUse`.
 */
export function openTun(options: TunOptions): DescriptorFrames {
  const name = parseInterfaceName(options.name, 'name');
  if (!name.ok) throw new ProblemError(name.error);
  const native = sys.loadFrameCalls();
  if (native === null) throw new ProblemError(noNative('a TUN interface'));
  const fd = openDevice(native, options.name);
  const shared = options.offloads === true && knowsHeaders(native, fd);
  const request = new ArrayBuffer(sys.IFREQ_LEN);
  new TextEncoder().encodeInto(options.name, new Uint8Array(request, 0, sys.IFNAMSIZ - 1));
  const kind = options.kind === 'tun' ? sys.IFF_TUN : sys.IFF_TAP;
  const flags = kind | sys.IFF_NO_PI | sys.IFF_TUN_EXCL | (shared ? sys.IFF_VNET_HDR : 0);
  new DataView(request).setUint16(sys.IFNAMSIZ, flags, true);
  if (native.calls.ioctl(fd, sys.TUNSETIFF, native.addresses.of(request)) < 0) {
    const why = errnoName(native.native.koffi.errno());
    native.calls.close(fd);
    throw new ProblemError(tunProblem('name', why, options.name));
  }
  return new DescriptorFrames(native, fd, shared ? agree(native, fd) : null);
}

/** Makes a TAP that stays when nobody has it open, or leaves one that is there as it is. Throws ProblemError as `openTun`. */
export function makeTap(name: string): void {
  const parsed = parseInterfaceName(name, 'name');
  if (!parsed.ok) throw new ProblemError(parsed.error);
  const native = sys.loadFrameCalls();
  if (native === null) throw new ProblemError(noNative('a TAP interface'));
  const { calls, addresses } = native;
  const fd = openDevice(native, name);
  const request = new ArrayBuffer(sys.IFREQ_LEN);
  new TextEncoder().encodeInto(name, new Uint8Array(request, 0, sys.IFNAMSIZ - 1));
  new DataView(request).setUint16(sys.IFNAMSIZ, sys.IFF_TAP | sys.IFF_NO_PI, true);
  const done = calls.ioctl(fd, sys.TUNSETIFF, addresses.of(request)) >= 0 && calls.ioctl(fd, sys.TUNSETPERSIST, 1) >= 0;
  const why = done ? '' : errnoName(native.native.koffi.errno());
  calls.close(fd);
  if (!done) throw new ProblemError(tunProblem('name', why, name));
}

function knowsHeaders({ calls, addresses }: sys.FrameNative, fd: number): boolean {
  const features = new ArrayBuffer(4);
  return (
    calls.ioctl(fd, sys.TUNGETFEATURES, addresses.of(features)) === 0 &&
    (new DataView(features).getUint32(0, true) & sys.IFF_VNET_HDR) !== 0
  );
}

/** Tells the kernel what we do ourselves; with nothing agreed there are still headers, and finished packets behind them. */
function agree({ calls }: sys.FrameNative, fd: number): Offloads {
  for (const [bits, offloads] of wishes) if (calls.ioctl(fd, sys.TUNSETOFFLOAD, bits) === 0) return offloads;
  return { tcp: false, udp: false };
}

/** Natively, as it is closed: Node counts what a thread opens through it, and would take a number that comes again for a mistake. */
function openDevice({ calls, native }: sys.FrameNative, name: string): number {
  const fd = calls.open('/dev/net/tun', sys.O_RDWR | sys.O_NONBLOCK | sys.O_CLOEXEC);
  if (fd < 0) throw new ProblemError(tunProblem('open', errnoName(native.koffi.errno()), name));
  return fd;
}
