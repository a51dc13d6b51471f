/**
 * wireguard-input: datagrams of a WireGuard link are opened in place. What the mind consumes (handshakes, keepalives) ends here
 * without being a drop; its answers go to the port's outbox.
 * In: the socket of a port. Out: ip-input.
 */
import { type PacketBatch, ROW_HANDED } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Forwarding } from '../../state/forwarding.ts';
import type { Handoff } from '../../workers/handoff.ts';

/** Bytes of a transport message before the inner packet. */
const HEADER = 16;
/** What lies behind the last datagram of a run, as every DatagramSocket promises. */
const SPARE = 64;
/** Sealing again may need this much behind the packet: padding and tag. */
const TAIL_NEEDED = 31;

export class WireguardInput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #next: Frame;
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;

  constructor(
    forwarding: Forwarding,
    counters: Counters,
    clock: BreathClock,
    next: Frame,
    handoff: Handoff | null = null,
  ) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#clock = clock;
    this.#next = next;
    this.#handoff = handoff;
  }

  process(batch: PacketBatch, frame: Frame): void {
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const ingress = batch.ingress[row]!;
      const link = this.#forwarding.links[ingress]!;
      const port = link.wireguard!;
      const region = batch.region[row]!;
      const at = batch.offset[row]!;
      const end = at + batch.length[row]!;
      const from = batch.endpoint[row]!;
      if (this.#handoff !== null && (batch.flags[row]! & ROW_HANDED) === 0)
        if (this.#handoff.redirect(ingress, region.bytes, at, end - at, from)) continue;
      const inner = port.device.receive(region.bytes, region.view, at, end - at, from, this.#clock, port);
      if (inner <= 0) {
        if (inner < 0) this.#counters.dropWireguard(-inner, ingress);
        continue;
      }
      // Datagrams that the kernel coalesced touch each other: behind such a one only its own padding and tag are free.
      const touched = row + 1 < batch.count && batch.region[row + 1] === region;
      const gap = touched ? batch.offset[row + 1]! - end : -1;
      batch.offset[row] = at + HEADER;
      batch.length[row] = inner;
      batch.tailroom[row] = end - (at + HEADER + inner) + (gap >= 0 && gap < TAIL_NEEDED ? 0 : SPARE);
      batch.vrf[row] = link.vrf;
      batch.flags[row] = 0;
      this.#counters.received(ingress, inner);
      this.#next.push(row);
    }
  }
}
