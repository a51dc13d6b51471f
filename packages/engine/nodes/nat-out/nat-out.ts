/**
 * nat-out: packets that leave by a link with NAT: the source becomes what stands for it outside (nat/README.md). Behind ip-rewrite, so an
 * expired packet opens nothing and our error about it carries what the sender wrote. What is translated goes on in the VRF of the
 * outside: an error about it starts there, where its source is ours, and comes back by nat-in. IPv6 passes.
 * With several workers the keeper translates for all: it gets what arrives here on others.
 * In: ip-rewrite. Out: link-output. A piece may wait here for the first of its datagram.
 */
import { ipVersion } from '@vrouter/wire/ipv4/ipv4.ts';
import { type PacketBatch, ROW_ABOUT_NAT_IN, ROW_OURS } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import { takeHeld } from '../../nat/follow.ts';
import { HELD, type Nat } from '../../nat/nat.ts';
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
    const { held } = this.#nat.pieces;
    // Both directions of a flow must meet the same session, and several hosts the same ports: the keeper has them all.
    const away = this.#handoff !== null && !this.#handoff.isKeeper ? this.#handoff : null;
    this.#nat.advance(this.#clock.now);
    held.advance(this.#clock.now, this.#counters);
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      if (away !== null && ipVersion(batch.region[row]!.view, batch.offset[row]!) === 4) {
        away.row(away.keeper, Parcel.natOut, batch, row);
        continue;
      }
      this.#translate(batch, row);
      // Those that came before their first one go on behind it.
      while (held.ready > 0) {
        const next = takeHeld(held, batch, row, this.#counters);
        if (next >= 0) this.#translate(batch, next);
      }
    }
  }

  #translate(batch: PacketBatch, row: number): void {
    const view = batch.region[row]!.view;
    const at = batch.offset[row]!;
    if (ipVersion(view, at) === 4) {
      const end = at + batch.length[row]!;
      const egress = batch.egress[row]!;
      const vrf = batch.vrf[row]!;
      let reason: number = Drop.none;
      const flags = batch.flags[row]!;
      if ((flags & ROW_OURS) !== 0) this.#nat.outboundOurs(view, at, end, vrf, (flags & ROW_ABOUT_NAT_IN) !== 0);
      else reason = this.#nat.outbound(view, at, end, vrf, batch.ingress[row]!, egress);
      if (reason === HELD) return;
      if (reason !== Drop.none) {
        this.#counters.drop(reason, egress);
        return;
      }
      batch.vrf[row] = this.#nat.outsideVrf;
    }
    this.#next.push(row);
  }
}
