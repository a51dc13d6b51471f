/**
 * What one worker has for the others: packets for their peers, initiations of their peers, and datagrams that the kernel brought to
 * the wrong socket (for a moment, while sockets come and go). Written into rings over a batch, shown and announced once behind it.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import type { Counters } from '../graph/counters.ts';
import { Drop } from '../graph/drops.ts';
import { Bell } from './bell.ts';
import { Parcel, RingWriter } from './ring.ts';
import { DOORKEEPER, isInitiation, type Share, workerOf } from './share.ts';

export class Handoff {
  readonly index: number;
  readonly workers: number;
  readonly #counters: Counters;
  readonly #bell: Bell;
  /** By worker; null for this one. */
  readonly #rings: readonly (RingWriter | null)[];

  constructor(share: Share, counters: Counters) {
    this.index = share.index;
    this.workers = share.workers;
    this.#counters = counters;
    this.#bell = new Bell(share.bells, share.index);
    this.#rings = share.rings[share.index]!.map((memory) => (memory === null ? null : new RingWriter(memory)));
  }

  /** A packet for a peer of `worker`, on its way out by `egress`. */
  packet(worker: number, egress: number, ingress: number, bytes: Uint8Array, at: number, length: number): void {
    const ring = this.#rings[worker] ?? null;
    if (ring === null || !ring.write(Parcel.packet, egress, ingress, bytes, at, length, null))
      this.#counters.drop(Drop.workerFull, egress);
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
