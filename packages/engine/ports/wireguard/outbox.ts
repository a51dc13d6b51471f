/**
 * Datagrams on their way to the sockets, gathered over a batch so that each socket sends once. Rows point at packets where they were
 * sealed; what is only good during a call (handshakes) is copied here.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import { BATCH_ROWS, makeRegion, PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { DatagramRows, Region } from '../datagram.ts';
import type { WireguardPort } from './port.ts';

/** Room for several of the longest datagrams; a full slab is sent and used again. */
const SLAB_BYTES = 256 * 1024;

export class Outbox {
  /** For packets that must move before they can be sealed. Apart from the copies, since one may arise while the other is written. */
  readonly slab: Region;
  readonly #copies: Region;
  readonly #counters: Counters;
  /** Ports with rows waiting. */
  readonly #waiting: WireguardPort[];
  #slabUsed: number;
  #copiesUsed: number;

  constructor(counters: Counters) {
    this.slab = makeRegion(SLAB_BYTES);
    this.#copies = makeRegion(SLAB_BYTES);
    this.#counters = counters;
    this.#waiting = [];
    this.#slabUsed = 0;
    this.#copiesUsed = 0;
  }

  /** Takes `length` bytes of the slab, at most 65,536 and good until the next flush; returns where they start. */
  reserve(length: number): number {
    if (this.#slabUsed + length > SLAB_BYTES) this.flush();
    const at = this.#slabUsed;
    this.#slabUsed = at + length;
    return at;
  }

  /** Queues a datagram that stays where it is until the flush. */
  add(port: WireguardPort, region: Region, offset: number, length: number, to: Endpoint): void {
    const { rows } = port;
    if (rows.count === rows.capacity) this.#send(port);
    if (!port.waiting) {
      port.waiting = true;
      this.#waiting.push(port);
    }
    const row = rows.count++;
    rows.region[row] = region;
    rows.offset[row] = offset;
    rows.length[row] = length;
    rows.endpoint[row] = to;
  }

  /** Queues a copy of a datagram. */
  copy(port: WireguardPort, bytes: Uint8Array, at: number, length: number, to: Endpoint): void {
    if (this.#copiesUsed + length > SLAB_BYTES) this.flushRows();
    const offset = this.#copiesUsed;
    this.#copies.bytes.set(bytes.subarray(at, at + length), offset);
    this.#copiesUsed = offset + length;
    this.add(port, this.#copies, offset, length, to);
  }

  /** Sends everything and frees both slabs. Not while a reserved packet waits to be queued. */
  flush(): void {
    this.flushRows();
    this.#slabUsed = 0;
  }

  /** Sends everything queued; packets reserved and not yet queued stay. */
  flushRows(): void {
    for (let i = 0; i < this.#waiting.length; i++) {
      const port = this.#waiting[i]!;
      this.#send(port);
      port.waiting = false;
    }
    this.#waiting.length = 0;
    this.#copiesUsed = 0;
  }

  #send(port: WireguardPort): void {
    const { rows, socket } = port;
    if (socket === null) this.#counters.drop(Drop.linkDown, port.link, rows.count);
    else {
      const lost = rows.count - socket.send(rows);
      if (lost > 0) {
        const { refused } = socket;
        if (refused > 0) this.#counters.drop(Drop.sendRefused, port.link, refused);
        if (lost > refused) this.#counters.drop(Drop.socketFull, port.link, lost - refused);
      }
    }
    rows.count = 0;
  }
}

/** Rows for a port's outgoing datagrams. */
export function outgoingRows(): DatagramRows {
  return new PacketBatch(BATCH_ROWS);
}
