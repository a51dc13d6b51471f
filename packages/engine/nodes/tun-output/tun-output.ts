/**
 * tun-output: packets for the host's own kernel, handed over link by link from where they lie. What the kernel does not take (its queue
 * is full, somebody took the device down) is counted and lost. With several workers the keeper has the devices: others hand it what
 * arrives here.
 * In: link-output. Out: the sockets of the ports.
 */
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { TunPort } from '../../ports/tun/port.ts';
import type { Forwarding } from '../../state/forwarding.ts';
import type { Handoff } from '../../workers/handoff.ts';
import { Parcel } from '../../workers/ring.ts';

export class TunOutput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  /** Ports with rows waiting. */
  readonly #waiting: TunPort[];
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;

  constructor(forwarding: Forwarding, counters: Counters, handoff: Handoff | null = null) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#waiting = [];
    this.#handoff = handoff;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const handoff = this.#handoff;
    if (handoff !== null && !handoff.isKeeper) {
      for (let i = 0; i < frame.count; i++) handoff.row(handoff.keeper, Parcel.packet, batch, frame.rows[i]!);
      return;
    }
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const egress = batch.egress[row]!;
      const port = this.#forwarding.links[egress]!.tun!;
      const { rows } = port;
      // Pieces of packets that were cut may be more than a port's rows.
      if (rows.count === rows.capacity) this.#send(port);
      else if (rows.count === 0) this.#waiting.push(port);
      const out = rows.count++;
      rows.region[out] = batch.region[row]!;
      rows.offset[out] = batch.offset[row]!;
      rows.length[out] = batch.length[row]!;
      this.#counters.sent(egress, batch.length[row]!);
    }
    for (let i = 0; i < this.#waiting.length; i++) this.#send(this.#waiting[i]!);
    this.#waiting.length = 0;
  }

  #send({ rows, socket, link }: TunPort): void {
    const taken = socket === null ? 0 : socket.send(rows);
    if (taken < rows.count) this.#counters.drop(Drop.socketFull, link, rows.count - taken);
    rows.count = 0;
  }
}
