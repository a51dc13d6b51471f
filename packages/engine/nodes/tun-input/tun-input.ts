/**
 * tun-input: IP packets that the host's own kernel sent into a TUN link. They are what they are; everything is judged by `ip-input`.
 * Frames that hold none have been counted by the port.
 * In: the socket of a port. Out: ip-input.
 */
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Forwarding } from '../../state/forwarding.ts';

/** What lies behind each frame, as every FrameSocket promises. */
const SPARE = 64;

export class TunInput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #next: Frame;

  constructor(forwarding: Forwarding, counters: Counters, next: Frame) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#next = next;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { links } = this.#forwarding;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const ingress = batch.ingress[row]!;
      batch.tailroom[row] = SPARE;
      batch.vrf[row] = links[ingress]!.vrf;
      batch.flags[row] = 0;
      this.#counters.received(ingress, batch.length[row]!);
      this.#next.push(row);
    }
  }
}
