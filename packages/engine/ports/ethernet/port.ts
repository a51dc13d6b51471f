/**
 * The engine's port into an Ethernet: the socket, and the mind that knows its neighbours. Both are there while the link is up; whether
 * frames can pass is another thing (a cable may be out), which is looked at now and then.
 */
import { type Millis, millis } from '@vrouter/core/time.ts';
import { Station, type StationSink } from '@vrouter/protocols/neighbour/station.ts';
import { ETHERNET_LEN } from '@vrouter/wire/ethernet/ethernet.ts';
import { BATCH_ROWS, PacketBatch, ROW_OURS } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Region } from '../datagram.ts';
import type { EthernetSocket, FrameRows } from '../frames.ts';
import type { LostPackets } from './lost.ts';

const NEVER = millis(Number.POSITIVE_INFINITY);
/** How often a port that is down is looked at. */
const DOWN_CHECK_MS = 1000;
/** A port that seems up is looked at this often when there is a reason to wake at all. */
const UP_CHECK_MS = 1000;

export class EthernetPort implements StationSink {
  readonly input = 'ethernet-input';
  /** Index of the link. */
  readonly link: number;
  /** Null while the link is down. */
  socket: EthernetSocket | null;
  /** Null while the link is down. */
  station: Station | null;
  /** Whether frames can pass, as far as we know. */
  up: boolean;
  /** The way to link-local neighbours: an adjacency of this link. */
  adjacency: number;
  /** Frames on their way out; ethernet-output's. */
  readonly rows: FrameRows;
  readonly #counters: Counters;
  readonly #said: FrameRows;
  readonly #lost: LostPackets;
  readonly #changed: (up: boolean) => void;
  readonly #regions: WeakMap<Uint8Array, Region>;
  #checkedAt: number;
  #wasDown: boolean;
  #malformedSeen: number;
  #otherVlanSeen: number;

  /** `lost` takes packets whose neighbour is away; `changed` is told when frames can pass, or cannot any more. */
  constructor(link: number, counters: Counters, lost: LostPackets, changed: (up: boolean) => void) {
    this.link = link;
    this.socket = null;
    this.station = null;
    this.up = false;
    this.adjacency = 0;
    this.rows = new PacketBatch(BATCH_ROWS);
    this.#counters = counters;
    this.#said = new PacketBatch(1);
    this.#lost = lost;
    this.#changed = changed;
    this.#regions = new WeakMap();
    this.#checkedAt = Number.NEGATIVE_INFINITY;
    this.#wasDown = false;
    this.#malformedSeen = 0;
    this.#otherVlanSeen = 0;
  }

  /** The device is there. */
  open(socket: EthernetSocket, chance: number): Station {
    this.socket = socket;
    this.#malformedSeen = 0;
    this.#otherVlanSeen = 0;
    this.station = new Station({ mac: socket.mac, chance }, this);
    this.#checkedAt = Number.NEGATIVE_INFINITY;
    this.#wasDown = false;
    return this.station;
  }

  /** Packets that wait are lost with it. */
  async close(): Promise<void> {
    const { socket } = this;
    this.socket = null;
    this.station = null;
    this.up = false;
    await socket?.close();
  }

  /** Fills the batch from the socket; returns the rows. Frames that the socket kept from us are counted here: they may be all that has come. */
  receive(batch: PacketBatch): number {
    if (this.socket === null) {
      batch.count = 0;
      return 0;
    }
    const count = this.socket.receive(batch);
    batch.ingress.fill(this.link, 0, count);
    this.#countKept(this.socket);
    if (this.socket.failed) this.suspect();
    return count;
  }

  /** The interface may be another than it was: the next tick looks. `lost`: it was down meanwhile. */
  suspect(lost: boolean = false): void {
    this.#checkedAt = Number.NEGATIVE_INFINITY;
    this.#wasDown ||= lost;
  }

  wakeAt(): Millis {
    if (this.socket === null || this.station === null || this.socket.gone) return NEVER;
    if (!this.up || this.#checkedAt === Number.NEGATIVE_INFINITY)
      return millis(Math.max(0, this.#checkedAt + DOWN_CHECK_MS));
    return this.station.wakeAt();
  }

  /** Does what is due: looks at the interface, then has the mind speak. While no frame can pass, the mind's clock stands still. */
  tick(now: Millis): void {
    const { station } = this;
    if (station === null) return;
    this.#look(now, station);
    if (this.up) station.tick(now);
  }

  frame(bytes: Uint8Array, at: number, length: number): void {
    if (this.socket === null) return;
    this.#said.region[0] = this.#regionOf(bytes);
    this.#said.offset[0] = at;
    this.#said.length[0] = length;
    this.#said.count = 1;
    this.socket.send(this.#said);
  }

  unreachable(bytes: Uint8Array, at: number, length: number, tag: number): void {
    this.#lost.add(this.#regionOf(bytes), at, length, tagLink(tag), tagFlags(tag), this.link);
  }

  #countKept({ malformed = 0, otherVlan }: EthernetSocket): void {
    if (malformed > this.#malformedSeen)
      this.#counters.drop(Drop.offloadMalformed, this.link, malformed - this.#malformedSeen);
    if (otherVlan > this.#otherVlanSeen)
      this.#counters.drop(Drop.ethernetVlan, this.link, otherVlan - this.#otherVlanSeen);
    this.#malformedSeen = malformed;
    this.#otherVlanSeen = otherVlan;
  }

  #look(now: Millis, station: Station): void {
    if (now - this.#checkedAt < (this.up ? UP_CHECK_MS : DOWN_CHECK_MS)) return;
    this.#checkedAt = now;
    const up = this.socket!.isUp();
    if (up === this.up && !(up && this.#wasDown)) return;
    this.#wasDown = false;
    this.up = up;
    this.#changed(up);
    if (up) station.linkUp(now);
  }

  #regionOf(bytes: Uint8Array): Region {
    const known = this.#regions.get(bytes);
    if (known !== undefined) return known;
    const region = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
    this.#regions.set(bytes, region);
    return region;
  }
}

/** What is remembered of a packet that waits: the link it came in by, and whether it is our own. */
export function packetTag(ingress: number, flags: number): number {
  return ingress * 2 + ((flags & ROW_OURS) === 0 ? 0 : 1);
}
const tagLink = (tag: number): number => tag >>> 1;
const tagFlags = (tag: number): number => ((tag & 1) === 0 ? 0 : ROW_OURS);

/** What is in front of each packet on a port. */
export const FRAME_HEADER = ETHERNET_LEN;
