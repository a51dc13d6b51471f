/** TUN devices for the engine: the device of host/frames, its kernel side by drivers/linux, over a netlink socket of its own. */
import { HostSide } from '@vrouter/drivers/linux/host-side/host-side.ts';
import type { FrameRows, HostSide as HostSideState, TunSocket } from '@vrouter/engine/ports/frames.ts';
import { openTun as openDevice } from '@vrouter/host/frames/tun.ts';
import { type NetlinkSocket, openNetlink } from '@vrouter/host/netlink/netlink.ts';

type Device = ReturnType<typeof openDevice>;

class HostTun implements TunSocket {
  readonly #device: Device;
  readonly #netlink: NetlinkSocket;
  readonly #side: HostSide;

  constructor(device: Device, netlink: NetlinkSocket, side: HostSide) {
    this.#device = device;
    this.#netlink = netlink;
    this.#side = side;
  }

  get gone(): boolean {
    return this.#device.gone;
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

/** The engine's `openTun`. Whatever fails, no device stays behind. */
export async function openTun(name: string, side: HostSideState): Promise<TunSocket> {
  const device = openDevice({ name, kind: 'tun' });
  let netlink: NetlinkSocket | null = null;
  try {
    netlink = openNetlink();
    const made = new HostSide(netlink, name);
    made.set(side);
    return new HostTun(device, netlink, made);
  } catch (thrown) {
    netlink?.close();
    await device.close();
    throw thrown;
  }
}
