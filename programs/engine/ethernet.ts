/** Ports into an Ethernet for the engine: a packet socket of an interface that is there, or a TAP device that drivers/linux sets up. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { HostSide } from '@vrouter/drivers/linux/host-side/host-side.ts';
import type { EthernetDevice, EthernetSocket, FrameRows, FrameSocket } from '@vrouter/engine/ports/frames.ts';
import { OffloadFrames } from '@vrouter/engine/ports/offload/frames.ts';
import { openPacket } from '@vrouter/host/frames/packet.ts';
import { openTun } from '@vrouter/host/frames/tun.ts';
import { openNetlink } from '@vrouter/host/netlink/netlink.ts';
import { type LinkWatch, watchLink } from '@vrouter/host/netlink/watch.ts';
import { ETHERNET_LEN } from '@vrouter/wire/ethernet/ethernet.ts';

/** The engine's `openEthernet`. Whatever fails, nothing stays behind. */
export async function openEthernet(device: EthernetDevice): Promise<EthernetSocket> {
  try {
    return device.attach === 'tap' ? await openTap(device) : openPort(device);
  } catch (thrown) {
    // The field is the action's, whatever it is called below.
    if (thrown instanceof ProblemError && thrown.problem.field !== 'mtu')
      throw new ProblemError({ ...thrown.problem, field: 'device' });
    throw thrown;
  }
}

function openPort({ device, mac, vlan, mtu }: EthernetDevice): EthernetSocket {
  const socket = openPacket({
    interface: device,
    offloads: true,
    ...(mac === null ? {} : { mac }),
    ...(vlan === null ? {} : { vlan }),
  });
  // Without virtio_net headers (a kernel without them) only finished packets make sense; ip-input and hosts judge the rest.
  const frames = socket.vnetHeader ? new OffloadFrames(socket, ETHERNET_LEN) : socket;
  const configure = (next: number): void => {
    const most = socket.mtu;
    if (next > most) {
      const what = `${device} takes packets of at most ${most} bytes: choose a smaller MTU`;
      throw new ProblemError(problem('input.invalid', what, 'mtu'));
    }
  };
  try {
    configure(mtu);
  } catch (thrown) {
    void socket.close();
    throw thrown;
  }
  return new Port(frames, {
    mac: mac ?? socket.mac,
    index: socket.index,
    configure,
    failed: () => socket.failed,
    otherVlan: () => socket.counters.otherVlan,
    isUp: () => socket.isUp(),
    close: () => socket.close(),
  });
}

async function openTap({ device, mac, mtu }: EthernetDevice): Promise<EthernetSocket> {
  const tap = openTun({ name: device, kind: 'tap' });
  const netlink = openNetlink();
  try {
    const side = new HostSide(netlink, device);
    const configure = (next: number): void => side.set({ mtu: next, addresses: [], routes: [] });
    configure(mtu);
    return new Port(tap, {
      mac: mac ?? new Uint8Array(6),
      index: netlink.indexOf(device),
      configure,
      failed: () => tap.gone,
      otherVlan: () => 0,
      isUp: () => !tap.gone,
      async close() {
        await tap.close();
        netlink.close();
      },
    });
  } catch (thrown) {
    netlink.close();
    await tap.close();
    throw thrown;
  }
}

/** What is asked of a port beside its frames. */
interface Around {
  readonly mac: Uint8Array;
  /** Throws ProblemError when packets cannot be as long. */
  readonly configure: (mtu: number) => void;
  readonly failed: () => boolean;
  readonly otherVlan: () => number;
  readonly isUp: () => boolean;
  /** The kernel's number of the interface. */
  readonly index: number;
  readonly close: () => Promise<void>;
}

class Port implements EthernetSocket {
  readonly mac: Uint8Array;
  readonly #frames: FrameSocket;
  readonly #around: Around;
  #watch: LinkWatch | null;

  constructor(frames: FrameSocket, around: Around) {
    this.mac = around.mac;
    this.#frames = frames;
    this.#around = around;
    this.#watch = null;
  }

  async configure(mtu: number): Promise<void> {
    this.#around.configure(mtu);
  }

  get gone(): boolean {
    return this.#frames.gone;
  }

  get failed(): boolean {
    return this.#around.failed();
  }

  get otherVlan(): number {
    return this.#around.otherVlan();
  }

  get malformed(): number {
    return this.#frames.malformed ?? 0;
  }

  isUp(): boolean {
    return this.#around.isUp();
  }

  receive(into: FrameRows): number {
    return this.#frames.receive(into);
  }

  send(rows: FrameRows): number {
    return this.#frames.send(rows);
  }

  onReadable(callback: () => void): void {
    this.#frames.onReadable(callback);
  }

  onChange(callback: (lost: boolean) => void): void {
    this.#watch ??= watchLink(this.#around.index, callback);
  }

  close(): Promise<void> {
    this.#watch?.close();
    return this.#around.close();
  }
}
