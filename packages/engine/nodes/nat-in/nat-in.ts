/**
 * nat-in: packets to an address of ours, while there is NAT: those that somebody inside has to do with get the inside destination, and
 * are looked up again where the inside is (nat/README.md). The others are ours. IPv6 passes. With several workers the keeper
 * translates for all: it gets what arrives here on others.
 * In: ip-lookup. Out: ip-lookup when translated, else local. A piece may wait here for the first of its datagram.
 */
import { ipVersion } from '@vrouter/wire/ipv4/ipv4.ts';
import { type PacketBatch, ROW_NAT_IN } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import { takeHeld } from '../../nat/follow.ts';
import { HELD, type Nat, NOT_TRANSLATED } from '../../nat/nat.ts';
import type { Handoff } from '../../workers/handoff.ts';
import { Parcel } from '../../workers/ring.ts';

export class NatIn {
  readonly #nat: Nat;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #lookup: Frame;
  readonly #local: Frame;
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;

  constructor(
    nat: Nat,
    counters: Counters,
    clock: BreathClock,
    lookup: Frame,
    local: Frame,
    handoff: Handoff | null = null,
  ) {
    this.#nat = nat;
    this.#counters = counters;
    this.#clock = clock;
    this.#lookup = lookup;
    this.#local = local;
    this.#handoff = handoff;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { held } = this.#nat.pieces;
    const away = this.#handoff !== null && !this.#handoff.isKeeper ? this.#handoff : null;
    this.#nat.advance(this.#clock.now);
    held.advance(this.#clock.now, this.#counters);
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      if (away !== null && ipVersion(batch.region[row]!.view, batch.offset[row]!) === 4) {
        away.row(away.keeper, Parcel.natIn, batch, row);
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
    const end = at + batch.length[row]!;
    const ingress = batch.ingress[row]!;
    const reason =
      ipVersion(view, at) === 4 ? this.#nat.inbound(view, at, end, batch.vrf[row]!, ingress) : NOT_TRANSLATED;
    if (reason === HELD) return;
    if (reason === NOT_TRANSLATED) this.#local.push(row);
    else if (reason !== Drop.none) this.#counters.drop(reason, ingress);
    else {
      batch.vrf[row] = this.#nat.insideVrf;
      batch.flags[row] = batch.flags[row]! | ROW_NAT_IN;
      this.#lookup.push(row);
    }
  }
}
