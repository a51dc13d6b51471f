/** TUN devices in memory, for tests and for worlds that live in one process: what the host sends is put in, what it gets is taken out. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { makeRegion } from '../../batch/packet-batch.ts';
import type { Region } from '../datagram.ts';
import type { FrameRows, HostSide, OpenTun, TunSocket } from '../frames.ts';

const SPARE = 64;
const REGION_BYTES = 1 << 20;

export class MemoryHost {
  /** By name. */
  readonly devices: Map<string, MemoryTun>;
  /** Refuse these sides with this, as a kernel would. */
  refuse: (side: HostSide) => ProblemError | null;

  constructor() {
    this.devices = new Map();
    this.refuse = () => null;
  }

  /** Ready to be an engine's `openTun`. */
  readonly open: OpenTun = async (name, side) => {
    if (this.devices.has(name)) throw new ProblemError(problem('port.inUse', `there is another ${name}`, 'name'));
    const device = new MemoryTun(this, name, side);
    await device.configure(side);
    this.devices.set(name, device);
    return device;
  };
}

export class MemoryTun implements TunSocket {
  gone: boolean;
  side: HostSide;
  /** What the host got. */
  readonly received: Uint8Array[];
  /** The kernel's queue is full: it takes nothing. */
  full: boolean;
  readonly #host: MemoryHost;
  readonly #name: string;
  readonly #queue: Uint8Array[];
  readonly #region: Region;
  #callback: (() => void) | null;

  constructor(host: MemoryHost, name: string, side: HostSide) {
    this.gone = false;
    this.side = side;
    this.received = [];
    this.full = false;
    this.#host = host;
    this.#name = name;
    this.#queue = [];
    this.#region = makeRegion(REGION_BYTES);
    this.#callback = null;
  }

  /** The host sends packets; the engine is told at once. */
  say(...packets: readonly Uint8Array[]): void {
    this.#queue.push(...packets);
    while (this.#queue.length > 0 && this.#callback !== null) this.#callback();
  }

  /** Somebody on the host deletes the device. */
  vanish(): void {
    this.gone = true;
    this.#host.devices.delete(this.#name);
  }

  async configure(side: HostSide): Promise<void> {
    const refused = this.#host.refuse(side);
    if (refused !== null) throw refused;
    this.side = side;
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
    if (this.full) return 0;
    for (let row = 0; row < rows.count; row++) {
      const at = rows.offset[row]!;
      this.received.push(rows.region[row]!.bytes.slice(at, at + rows.length[row]!));
    }
    return rows.count;
  }

  onReadable(callback: () => void): void {
    this.#callback = callback;
  }

  async close(): Promise<void> {
    this.#callback = null;
    if (!this.gone) this.#host.devices.delete(this.#name);
  }
}
