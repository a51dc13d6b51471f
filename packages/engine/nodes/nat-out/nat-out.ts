/**
 * nat-out: packets that leave by a link with NAT: the source becomes what stands for it outside (nat/README.md). Behind ip-rewrite, so an
 * expired packet opens nothing and our error about it carries what the sender wrote. IPv6 passes.
 * In: ip-rewrite. Out: link-output.
 */
import { ipVersion } from '@vrouter/wire/ipv4/ipv4.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Nat } from '../../nat/nat.ts';

export class NatOut {
  readonly #nat: Nat;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #next: Frame;

  constructor(nat: Nat, counters: Counters, clock: BreathClock, next: Frame) {
    this.#nat = nat;
    this.#counters = counters;
    this.#clock = clock;
    this.#next = next;
  }

  process(batch: PacketBatch, frame: Frame): void {
    this.#nat.advance(this.#clock.now);
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const view = batch.region[row]!.view;
      const at = batch.offset[row]!;
      if (ipVersion(view, at) === 4) {
        const end = at + batch.length[row]!;
        const egress = batch.egress[row]!;
        const reason = this.#nat.outbound(view, at, end, batch.vrf[row]!, batch.ingress[row]!, egress);
        if (reason !== Drop.none) {
          this.#counters.drop(reason, egress);
          continue;
        }
      }
      this.#next.push(row);
    }
  }
}
