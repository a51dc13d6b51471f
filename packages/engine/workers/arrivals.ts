/** What the other workers have for this one: taken out of the rings into rows, copied once, and put where the graph goes on. */
import { IPV4_DST_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_DST_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { BATCH_ROWS, makeRegion, type PacketBatch, ROW_HANDED } from '../batch/packet-batch.ts';
import type { Counters } from '../graph/counters.ts';
import { Drop } from '../graph/drops.ts';
import type { Frames, Graph } from '../graph/graph.ts';
import type { Region } from '../ports/datagram.ts';
import { AdjacencyKind } from '../state/adjacency.ts';
import type { Forwarding } from '../state/forwarding.ts';
import { Parcel, RingReader } from './ring.ts';
import type { Share } from './share.ts';

/** Room before and behind each row, for whoever seals in place. */
const SPARE = 64;
const REGION_BYTES = 1 << 19;

export class Arrivals {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #graph: Graph;
  readonly #frames: Frames;
  readonly #readers: readonly RingReader[];
  readonly #region: Region;
  #used: number;
  /** Who comes first next time, so that a busy neighbour does not starve the others. */
  #turn: number;

  constructor(share: Share, forwarding: Forwarding, counters: Counters, graph: Graph, frames: Frames) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#graph = graph;
    this.#frames = frames;
    this.#readers = share.rings
      .map((row) => row[share.index] ?? null)
      .filter((memory) => memory !== null)
      .map((memory) => new RingReader(memory));
    this.#region = makeRegion(REGION_BYTES);
    this.#used = 0;
    this.#turn = 0;
  }

  get waiting(): boolean {
    return this.#readers.some((reader) => reader.waiting);
  }

  /** Fills the batch and the frames with what fits; returns how many records that took, some of which may have been dropped. */
  receive(batch: PacketBatch): number {
    batch.begin();
    batch.count = 0;
    this.#used = SPARE;
    let taken = 0;
    for (let i = 0; i < this.#readers.length; i++) {
      const reader = this.#readers[(this.#turn + i) % this.#readers.length]!;
      let here = 0;
      while (batch.count < BATCH_ROWS && reader.peek() && this.#used + reader.length + SPARE <= REGION_BYTES) {
        this.#take(reader, batch);
        reader.take();
        here++;
      }
      if (here > 0) reader.release();
      taken += here;
    }
    this.#turn++;
    return taken;
  }

  #take(reader: RingReader, batch: PacketBatch): void {
    const { kind, link: index, otherLink, length, at, vrf } = reader;
    const link = this.#forwarding.links[index] ?? null;
    const other = this.#forwarding.links[otherLink] ?? null;
    // Workers apply a change within a moment of each other, not at once: what it stands on may have gone here, or not have come.
    const isStale =
      kind === Parcel.datagram
        ? link?.wireguard == null
        : link === null || (this.#forwarding.vrfs[vrf] ?? null) === null;
    if (isStale || other === null) {
      this.#counters.drop(Drop.linkDown, index);
      return;
    }
    const row = batch.count++;
    const to = this.#used;
    this.#region.bytes.set(reader.bytes.subarray(at, at + length), to);
    // Aligned, so that words of the next one are read whole.
    this.#used = (to + length + SPARE + 7) & ~7;
    batch.region[row] = this.#region;
    batch.offset[row] = to;
    batch.length[row] = length;
    batch.tailroom[row] = SPARE;
    batch.ingress[row] = otherLink;
    if (kind === Parcel.datagram) {
      batch.endpoint[row] = reader.endpoint();
      batch.flags[row] = ROW_HANDED;
      this.#frames['wireguard-input'].push(row);
      return;
    }
    batch.egress[row] = index;
    batch.vrf[row] = vrf;
    // On an Ethernet the route says whom to ask for; what leads elsewhere by now goes to its destination.
    if (link!.ethernet !== null) batch.adjacency[row] = this.#wayOut(batch, row, index);
    // A packet for a link is at its goal; one that was translated may have to go on, and does so once.
    batch.flags[row] = kind === Parcel.packet ? reader.flags | ROW_HANDED : reader.flags;
    this.#graph.observer?.adopt(batch, row, reader.trace);
    if (kind === Parcel.packet) this.#frames['link-output'].push(row);
    else if (kind === Parcel.natOut) this.#frames['nat-out'].push(row);
    else this.#frames['nat-in'].push(row);
  }

  #wayOut(batch: PacketBatch, row: number, link: number): number {
    const { adjacencies, vrfs, links } = this.#forwarding;
    const vrf = vrfs[batch.vrf[row]!]!;
    const { bytes } = this.#region;
    const at = batch.offset[row]!;
    const four = bytes[at]! >>> 4 === 4;
    const found = four ? vrf.fib4.lookup4(bytes, at + IPV4_DST_AT) : vrf.fib6.lookup6(bytes, at + IPV6_DST_AT);
    const leads = adjacencies.kind[found] === AdjacencyKind.link && adjacencies.link[found] === link;
    return leads ? found : links[link]!.ethernet!.adjacency;
  }
}
