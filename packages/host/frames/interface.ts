/** What the kernel says of an interface, netdevice(7). */
import type { FrameNative } from './syscalls.ts';
import * as sys from './syscalls.ts';

export interface Interface {
  readonly name: string;
  readonly index: number;
  /** Its MAC address; zeros for one that has none. */
  readonly mac: Uint8Array;
  readonly mtu: number;
}

/** Null when there is none, and errno says why. `fd` is any socket. */
export function readInterface(frames: FrameNative, fd: number, name: string): Interface | null {
  const index = frames.calls.if_nametoindex(name);
  if (index === 0) return null;
  const mac = ask(frames, fd, name, sys.SIOCGIFHWADDR);
  const mtu = ask(frames, fd, name, sys.SIOCGIFMTU);
  if (mac === null || mtu === null) return null;
  return {
    name,
    index,
    mac: new Uint8Array(mac.buffer, sys.IFNAMSIZ + 2, 6).slice(),
    mtu: mtu.getInt32(sys.IFNAMSIZ, true),
  };
}

/** Whether frames can pass now: wanted up, and with a carrier. Null when there is no such interface any more. */
export function isInterfaceUp(frames: FrameNative, fd: number, { name, index }: Interface): boolean | null {
  // Another may have been made with its name.
  if (frames.calls.if_nametoindex(name) !== index) return null;
  const flags = ask(frames, fd, name, sys.SIOCGIFFLAGS);
  const wanted = sys.IFF_UP | sys.IFF_RUNNING;
  return flags === null ? null : (flags.getUint16(sys.IFNAMSIZ, true) & wanted) === wanted;
}

function ask({ calls, addresses }: FrameNative, fd: number, name: string, request: number): DataView | null {
  const ifreq = new ArrayBuffer(sys.IFREQ_LEN);
  new TextEncoder().encodeInto(name, new Uint8Array(ifreq, 0, sys.IFNAMSIZ - 1));
  return calls.ioctl(fd, request, addresses.of(ifreq)) < 0 ? null : new DataView(ifreq);
}
