/**
 * nat-out: packets that leave by a link with NAT: the source becomes what stands for it outside (nat/README.md). Behind ip-rewrite, so an
 * expired packet opens nothing and our error about it carries what the sender wrote. IPv6 passes. With several workers the keeper
 * translates for all: it gets what arrives here on others.
 * In: ip-rewrite. Out: link-output.
 */
import { ipVersion } from '@vrouter/wire/ipv4/ipv4.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Nat } from '../../nat/nat.ts';
import type { Handoff } from '../../workers/handoff.ts';
import { Parcel } from '../../workers/ring.ts';

export class NatOut {
  readonly #nat: Nat;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #next: Frame;
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;

  constructor(nat: Nat, counters: Counters, clock: BreathClock, next: Frame, handoff: Handoff | null = null) {
    this.#nat = nat;
    this.#counters = counters;
    this.#clock = clock;
    this.#next = next;
    this.#handoff = handoff;
  }

  process(batch: PacketBatch, frame: Frame): void {
    // Both directions of a flow must meet the same session, and several hosts the same ports: the keeper has them all.
    const away = this.#handoff !== null && !this.#handoff.isKeeper ? this.#handoff : null;
    this.#nat.advance(this.#clock.now);
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const view = batch.region[row]!.view;
      const at = batch.offset[row]!;
      if (ipVersion(view, at) === 4) {
        if (away !== null) {
          away.row(away.keeper, Parcel.natOut, batch, row);
          continue;
        }
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
