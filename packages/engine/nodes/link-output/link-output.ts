/**
 * link-output: what holds for every kind of link before its own output node: it must be up, and the packet must fit. A packet that
 * is too long is only counted for now; nothing is fragmented.
 * In: ip-rewrite. Out: the output node of the link's kind.
 */
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Forwarding } from '../../state/forwarding.ts';

export class LinkOutput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #wireguard: Frame;
  readonly #tun: Frame;

  constructor(forwarding: Forwarding, counters: Counters, wireguard: Frame, tun: Frame) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#wireguard = wireguard;
    this.#tun = tun;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { links } = this.#forwarding;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const egress = batch.egress[row]!;
      const link = links[egress]!;
      if (!link.operUp) this.#counters.drop(Drop.linkDown, egress);
      else if (batch.length[row]! > link.mtu) this.#counters.drop(Drop.mtuExceeded, egress);
      else if (link.tun !== null) this.#tun.push(row);
      else this.#wireguard.push(row);
    }
  }
}
