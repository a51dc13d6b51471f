/** TUN devices in memory, for tests and for worlds that live in one process: what the host sends is put in, what it gets is taken out. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { VnetGso, vnetGso } from '@vrouter/wire/virtio-net/header.ts';
import { makeRegion } from '../../batch/packet-batch.ts';
import type { Region } from '../datagram.ts';
import {
  Fate,
  type FrameRows,
  type GatheredFrames,
  type HostSide,
  type OffloadSocket,
  type Offloads,
  type OpenTun,
  type TunSocket,
} from '../frames.ts';
import { OffloadFrames } from '../offload/frames.ts';

const SPARE = 64;
const REGION_BYTES = 1 << 20;

export class MemoryHost {
  /** By name. */
  readonly devices: Map<string, MemoryTun>;
  /** Refuse these sides with this, as a kernel would. */
  refuse: (side: HostSide) => ProblemError | null;
  /** What new devices exchange in super-packets; then all that their host says and gets begins with a virtio-net header. */
  offloads: Offloads | null;

  constructor() {
    this.devices = new Map();
    this.refuse = () => null;
    this.offloads = null;
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
  readonly offloads: Offloads | undefined;
  readonly #host: MemoryHost;
  readonly #name: string;
  readonly #kernel: MemoryKernel;
  /** Null without offloads. */
  readonly #frames: OffloadFrames | null;

  constructor(host: MemoryHost, name: string, side: HostSide) {
    this.gone = false;
    this.side = side;
    this.offloads = host.offloads ?? undefined;
    this.#host = host;
    this.#name = name;
    this.#kernel = new MemoryKernel(host.offloads ?? { tcp: false, udp: false });
    this.#frames = host.offloads === null ? null : new OffloadFrames(this.#kernel, 0);
  }

  /** What the host got. */
  get received(): Uint8Array[] {
    return this.#kernel.heard;
  }

  get malformed(): number {
    return this.#frames?.malformed ?? 0;
  }

  /** The kernel's queue is full: it takes nothing. */
  set full(full: boolean) {
    this.#kernel.full = full;
  }

  /** The kernel takes packets, but no super-packets. */
  set picky(picky: boolean) {
    this.#kernel.picky = picky;
  }

  /** The host sends packets; the engine is told at once. */
  say(...packets: readonly Uint8Array[]): void {
    this.#kernel.say(packets);
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
    return (this.#frames ?? this.#kernel).receive(into);
  }

  send(rows: FrameRows): number {
    return (this.#frames ?? this.#kernel).send(rows);
  }

  onReadable(callback: () => void): void {
    this.#kernel.onReadable(callback);
  }

  async close(): Promise<void> {
    await this.#kernel.close();
    if (!this.gone) this.#host.devices.delete(this.#name);
  }
}

/** The kernel's end of a device: whole frames, or gathered ones behind their headers. */
class MemoryKernel implements OffloadSocket {
  readonly gone = false;
  readonly offloads: Offloads;
  full: boolean;
  picky: boolean;
  readonly heard: Uint8Array[];
  readonly #queue: Uint8Array[];
  readonly #region: Region;
  #callback: (() => void) | null;
  #awake: boolean;

  constructor(offloads: Offloads) {
    this.offloads = offloads;
    this.full = false;
    this.picky = false;
    this.heard = [];
    this.#queue = [];
    this.#region = makeRegion(REGION_BYTES);
    this.#callback = null;
    this.#awake = false;
  }

  say(frames: readonly Uint8Array[]): void {
    this.#queue.push(...frames);
    while ((this.#queue.length > 0 || this.#awake) && this.#callback !== null) {
      this.#awake = false;
      this.#callback();
    }
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
      this.heard.push(rows.region[row]!.bytes.slice(at, at + rows.length[row]!));
    }
    return rows.count;
  }

  sendGathered(frames: GatheredFrames, fates: Uint8Array): void {
    for (let f = 0; f < frames.frames; f++) {
      const parts: number[] = [];
      for (let piece = frames.firstPiece[f]!; piece < frames.firstPiece[f + 1]!; piece++) {
        const at = frames.offset[piece]!;
        parts.push(...frames.region[piece]!.bytes.subarray(at, at + frames.length[piece]!));
      }
      const frame = Uint8Array.from(parts);
      const isSuper = vnetGso(new DataView(frame.buffer), 0) !== VnetGso.none;
      fates[f] = this.full ? Fate.lost : this.picky && isSuper ? Fate.refused : Fate.taken;
      if (fates[f] === Fate.taken) this.heard.push(frame);
    }
  }

  wake(): void {
    this.#awake = true;
  }

  onReadable(callback: () => void): void {
    this.#callback = callback;
  }

  async close(): Promise<void> {
    this.#callback = null;
  }
}
