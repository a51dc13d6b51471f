/**
 * What one worker has for the others: packets for their peers and for the keeper's devices and sessions, initiations of their peers, and
 * datagrams that the kernel brought to the wrong socket (for a moment, while sockets come and go). Written into rings over a batch,
 * shown and announced once behind it.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import type { PacketBatch } from '../batch/packet-batch.ts';
import type { Counters } from '../graph/counters.ts';
import { Drop } from '../graph/drops.ts';
import { Bell } from './bell.ts';
import { Parcel, RingWriter } from './ring.ts';
import { DOORKEEPER, isInitiation, keeperOf, type Share, workerOf } from './share.ts';

export class Handoff {
  readonly index: number;
  readonly workers: number;
  /** See `keeperOf`. */
  readonly keeper: number;
  /** What the next rows are traced under; the tracer's, 0 for packets that nobody watches. */
  trace: number;
  /** The worker that took the last row; the tracer sets it to -1 and looks again. */
  lastWorker: number;
  readonly #counters: Counters;
  readonly #bell: Bell;
  /** By worker; null for this one. */
  readonly #rings: readonly (RingWriter | null)[];

  constructor(share: Share, counters: Counters) {
    this.index = share.index;
    this.workers = share.workers;
    this.keeper = keeperOf(share.workers);
    this.trace = 0;
    this.lastWorker = -1;
    this.#counters = counters;
    this.#bell = new Bell(share.bells, share.index);
    this.#rings = share.rings[share.index]!.map((memory) => (memory === null ? null : new RingWriter(memory)));
  }

  /** Whether this worker is the keeper. */
  get isKeeper(): boolean {
    return this.index === this.keeper;
  }

  /** A packet whose way goes on at `worker`: where, says `kind`. Its `egress` must be known unless it is on its way in. */
  row(worker: number, kind: Parcel, batch: PacketBatch, row: number): void {
    const ingress = batch.ingress[row]!;
    const link = kind === Parcel.natIn ? ingress : batch.egress[row]!;
    const ring = this.#rings[worker] ?? null;
    const { bytes } = batch.region[row]!;
    const at = batch.offset[row]!;
    const length = batch.length[row]!;
    const vrf = batch.vrf[row]!;
    const flags = batch.flags[row]!;
    if (ring === null || !ring.write(kind, link, ingress, bytes, at, length, null, vrf, flags, this.trace))
      this.#counters.drop(Drop.workerFull, link);
    else this.lastWorker = worker;
  }

  /** A datagram of `link` that `worker` must open. */
  datagram(worker: number, link: number, bytes: Uint8Array, at: number, length: number, from: Endpoint): void {
    const ring = this.#rings[worker] ?? null;
    if (ring === null || !ring.write(Parcel.datagram, link, link, bytes, at, length, from))
      this.#counters.drop(Drop.workerFull, link);
  }

  /** Passes on a datagram that came by our socket and is not ours; false when it is, or is nobody's. */
  redirect(link: number, bytes: Uint8Array, at: number, length: number, from: Endpoint): boolean {
    const worker = isInitiation(bytes, at, length) ? DOORKEEPER : workerOf(bytes, at, length);
    if (worker === this.index || worker >= this.workers) return false;
    this.datagram(worker, link, bytes, at, length, from);
    return true;
  }

  /** Shows the others what was written, and wakes those who sleep. */
  publish(): void {
    for (let worker = 0; worker < this.workers; worker++) if (this.#rings[worker]?.publish()) this.#bell.ring(worker);
  }
}
