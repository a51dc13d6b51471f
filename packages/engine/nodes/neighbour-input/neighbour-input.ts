/**
 * neighbour-input: ARP and neighbour discovery, for the mind of the port that they came in by. What it heeds or answers ends here without
 * being a drop.
 * In: ethernet-input. Out: nowhere; answers go to the port's socket.
 */
import { StationDrop } from '@vrouter/protocols/neighbour/drops.ts';
import { ETHERNET_LEN, ETHERNET_SRC_AT, EtherType, ethernetType } from '@vrouter/wire/ethernet/ethernet.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Forwarding } from '../../state/forwarding.ts';

const dropOf: { readonly [D in StationDrop]: number } = {
  [StationDrop.none]: Drop.none,
  [StationDrop.malformed]: Drop.neighbourMalformed,
  [StationDrop.notOurs]: Drop.neighbourNotOurs,
  [StationDrop.conflict]: Drop.neighbourConflict,
  [StationDrop.limited]: Drop.neighbourLimited,
};

export class NeighbourInput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #clock: BreathClock;

  constructor(forwarding: Forwarding, counters: Counters, clock: BreathClock) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#clock = clock;
  }

  process(batch: PacketBatch, frame: Frame): void {
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const ingress = batch.ingress[row]!;
      const station = this.#forwarding.links[ingress]!.ethernet!.station!;
      const { bytes, view } = batch.region[row]!;
      const at = batch.offset[row]!;
      const end = at + batch.length[row]!;
      // The header stands where ethernet-input left it.
      const header = at - ETHERNET_LEN;
      const drop =
        ethernetType(view, header) === EtherType.arp
          ? station.receiveArp(bytes, view, at, end, this.#clock.now)
          : station.receiveNdp(bytes, view, at, end, header + ETHERNET_SRC_AT, this.#clock.now);
      if (drop !== StationDrop.none) this.#counters.drop(dropOf[drop], ingress);
    }
  }
}
