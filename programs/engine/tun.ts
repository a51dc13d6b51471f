/** TUN devices for the engine: the device of host/frames, its kernel side by drivers/linux, over a netlink socket of its own. */
import { HostSide } from '@vrouter/drivers/linux/host-side/host-side.ts';
import type {
  FrameRows,
  FrameSocket,
  HostSide as HostSideState,
  OffloadSocket,
  Offloads,
  TunSocket,
} from '@vrouter/engine/ports/frames.ts';
import { OffloadFrames } from '@vrouter/engine/ports/offload/frames.ts';
import { openTun as openDevice } from '@vrouter/host/frames/tun.ts';
import { type NetlinkSocket, openNetlink } from '@vrouter/host/netlink/netlink.ts';

class HostTun implements TunSocket {
  readonly #device: FrameSocket;
  readonly #netlink: NetlinkSocket;
  readonly #side: HostSide;
  readonly offloads: Offloads | null;

  constructor(device: FrameSocket, netlink: NetlinkSocket, side: HostSide, offloads: Offloads | null) {
    this.offloads = offloads;
    this.#device = device;
    this.#netlink = netlink;
    this.#side = side;
  }

  get gone(): boolean {
    return this.#device.gone;
  }

  get malformed(): number {
    return this.#device.malformed ?? 0;
  }

  async configure(side: HostSideState): Promise<void> {
    this.#side.set(side);
  }

  receive(into: FrameRows): number {
    return this.#device.receive(into);
  }

  send(rows: FrameRows): number {
    return this.#device.send(rows);
  }

  onReadable(callback: () => void): void {
    this.#device.onReadable(callback);
  }

  async close(): Promise<void> {
    await this.#device.close();
    this.#netlink.close();
  }
}

/**
 * The engine's `openTun`. Whatever fails, no device stays behind. TCP and UDP cross to and from the kernel in super-packets as far as it
 * can, unless the environment says `VROUTER_TUN_OFFLOADS=off`.
 */
export async function openTun(name: string, side: HostSideState): Promise<TunSocket> {
  const device = openDevice({ name, kind: 'tun', offloads: process.env.VROUTER_TUN_OFFLOADS !== 'off' });
  let netlink: NetlinkSocket | null = null;
  try {
    netlink = openNetlink();
    const made = new HostSide(netlink, name);
    made.set(side);
    return new HostTun(finished(device), netlink, made, device.offloads);
  } catch (thrown) {
    netlink?.close();
    await device.close();
    throw thrown;
  }
}

/** The device as the graph wants it: finished packets. */
function finished(device: ReturnType<typeof openDevice>): FrameSocket {
  return isShared(device) ? new OffloadFrames(device, 0) : device;
}

function isShared(device: { readonly offloads: Offloads | null }): device is OffloadSocket & FrameSocket {
  return device.offloads !== null;
}
