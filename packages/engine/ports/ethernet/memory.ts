/** Ethernets in memory, for tests and for worlds that live in one process: what stations say is put in, what they get is taken out. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { makeRegion } from '../../batch/packet-batch.ts';
import type { Region } from '../datagram.ts';
import type { EthernetDevice, EthernetSocket, FrameRows, OpenEthernet } from '../frames.ts';

const SPARE = 64;
const REGION_BYTES = 1 << 20;

/** The interfaces of a machine: TAP devices can be made, others are there because a test says so. */
export class MemoryEthernets {
  /** By name: those that are open. */
  readonly ports: Map<string, MemoryEthernet>;
  /** Interfaces that are there: name to MAC address. */
  readonly interfaces: Map<string, Uint8Array>;
  /** What every interface takes. */
  mtu: number;

  constructor() {
    this.ports = new Map();
    this.interfaces = new Map();
    this.mtu = 9000;
  }

  /** Ready to be an engine's `openEthernet`. */
  readonly open: OpenEthernet = async (device) => {
    const { attach, device: name } = device;
    const own = this.interfaces.get(name);
    if (attach === 'interface' && own === undefined)
      throw new ProblemError(problem('interface.notFound', `there is no interface ${name}`, 'device'));
    if (attach === 'tap' && this.ports.has(name))
      throw new ProblemError(problem('port.inUse', `there is another ${name}`, 'device'));
    this.judge(name, device.mtu);
    const port = new MemoryEthernet(this, device, device.mac ?? own ?? new Uint8Array(6));
    this.ports.set(name, port);
    return port;
  };

  /** Throws for packets that are longer than interfaces take. */
  judge(name: string, mtu: number): void {
    if (mtu > this.mtu)
      throw new ProblemError(problem('input.invalid', `${name} takes at most ${this.mtu} bytes`, 'mtu'));
  }
}

export class MemoryEthernet implements EthernetSocket {
  readonly device: EthernetDevice;
  readonly mac: Uint8Array;
  mtu: number;
  readonly otherVlan: number;
  /** The kernel's queue is full: it takes nothing. */
  full: boolean;
  gone: boolean;
  failed: boolean;
  /** Whether the cable is in. */
  carrier: boolean;
  /** What was said into the Ethernet. */
  readonly sent: Uint8Array[];
  readonly #ethernets: MemoryEthernets;
  readonly #queue: Uint8Array[];
  readonly #region: Region;
  #callback: (() => void) | null;
  #changed: ((lost: boolean) => void) | null;

  constructor(ethernets: MemoryEthernets, device: EthernetDevice, mac: Uint8Array) {
    this.device = device;
    this.mac = mac;
    this.mtu = device.mtu;
    this.otherVlan = 0;
    this.full = false;
    this.gone = false;
    this.failed = false;
    this.carrier = true;
    this.sent = [];
    this.#ethernets = ethernets;
    this.#queue = [];
    this.#region = makeRegion(REGION_BYTES);
    this.#callback = null;
    this.#changed = null;
  }

  /** Stations say frames; the engine is told at once. */
  say(...frames: readonly Uint8Array[]): void {
    this.#queue.push(...frames);
    while (this.#queue.length > 0 && this.#callback !== null) this.#callback();
  }

  /** What has been said since, oldest first. */
  take(): readonly Uint8Array[] {
    return this.sent.splice(0);
  }

  /** The cable is out, or in again. */
  setCarrier(carrier: boolean): void {
    this.carrier = carrier;
    this.#changed?.(false);
  }

  /** The cable was out for a moment. */
  flap(): void {
    this.#changed?.(true);
  }

  /** Somebody takes the interface away. */
  vanish(): void {
    this.gone = true;
    this.#ethernets.ports.delete(this.device.device);
  }

  async configure(mtu: number): Promise<void> {
    this.#ethernets.judge(this.device.device, mtu);
    this.mtu = mtu;
  }

  isUp(): boolean {
    return this.carrier && !this.gone;
  }

  receive(into: FrameRows): number {
    let at = SPARE;
    into.count = 0;
    while (into.count < into.capacity && this.#queue.length > 0) {
      const bytes = this.#queue[0]!;
      if (at + bytes.length + SPARE > REGION_BYTES) break;
      this.#queue.shift();
      const row = into.count++;
      this.#region.bytes.set(bytes, at);
      into.region[row] = this.#region;
      into.offset[row] = at;
      into.length[row] = bytes.length;
      at += bytes.length + 2 * SPARE;
    }
    return into.count;
  }

  send(rows: FrameRows): number {
    if (!this.isUp() || this.full) return 0;
    for (let row = 0; row < rows.count; row++) {
      const at = rows.offset[row]!;
      this.sent.push(rows.region[row]!.bytes.slice(at, at + rows.length[row]!));
    }
    return rows.count;
  }

  onReadable(callback: () => void): void {
    this.#callback = callback;
  }

  onChange(callback: (lost: boolean) => void): void {
    this.#changed = callback;
  }

  async close(): Promise<void> {
    this.#callback = null;
    if (this.#ethernets.ports.get(this.device.device) === this) this.#ethernets.ports.delete(this.device.device);
  }
}
