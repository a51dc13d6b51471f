/**
 * Ports into Ethernets of several workers, as tun.ts has TUN devices: the keeper has the descriptor and the mind that knows the
 * neighbours; the others wait for what became of it, and hand over what is to go there.
 */
import type { EthernetDevice, EthernetSocket, FrameRows, OpenEthernet } from '../ports/frames.ts';
import type { KeeperDoings, TunOutcomes } from './tun.ts';

/** The keeper's `openEthernet`: as `open`, and the others hear the outcome of everything that can fail. */
export function keeperEthernet(open: OpenEthernet, doings: KeeperDoings): OpenEthernet {
  return async (device) => {
    const socket = await doings.told(() => open(device));
    return new KeeperPort(socket, (mtu) => doings.told(() => socket.configure(mtu)));
  };
}

/** `openEthernet` of a worker that is not the keeper: a port that brings nothing, is never sent to, and is always up. */
export function shadowEthernet(outcomes: TunOutcomes): OpenEthernet {
  return async (device) => {
    await outcomes.next();
    return new ShadowPort(device, outcomes);
  };
}

class KeeperPort implements EthernetSocket {
  readonly mac: Uint8Array;
  readonly configure: (mtu: number) => Promise<void>;
  readonly #socket: EthernetSocket;

  constructor(socket: EthernetSocket, configure: (mtu: number) => Promise<void>) {
    this.mac = socket.mac;
    this.configure = configure;
    this.#socket = socket;
  }

  get gone(): boolean {
    return this.#socket.gone;
  }

  get failed(): boolean {
    return this.#socket.failed;
  }

  get malformed(): number {
    return this.#socket.malformed ?? 0;
  }

  get otherVlan(): number {
    return this.#socket.otherVlan;
  }

  isUp(): boolean {
    return this.#socket.isUp();
  }

  receive(into: FrameRows): number {
    return this.#socket.receive(into);
  }

  send(rows: FrameRows): number {
    return this.#socket.send(rows);
  }

  onReadable(callback: () => void): void {
    this.#socket.onReadable(callback);
  }

  onChange(callback: (lost: boolean) => void): void {
    this.#socket.onChange(callback);
  }

  close(): Promise<void> {
    return this.#socket.close();
  }
}

class ShadowPort implements EthernetSocket {
  readonly gone = false;
  readonly failed = false;
  readonly otherVlan = 0;
  readonly mac: Uint8Array;
  readonly #outcomes: TunOutcomes;

  constructor(device: EthernetDevice, outcomes: TunOutcomes) {
    this.mac = device.mac ?? new Uint8Array(6);
    this.#outcomes = outcomes;
  }

  configure(): Promise<void> {
    return this.#outcomes.next();
  }

  isUp(): boolean {
    return true;
  }

  receive(into: FrameRows): number {
    into.count = 0;
    return 0;
  }

  send(rows: FrameRows): number {
    return rows.count;
  }

  onReadable(): void {}

  onChange(): void {}

  async close(): Promise<void> {}
}
