/**
 * nat-in: packets to an address of ours, while there is NAT: those that somebody inside has to do with get the inside destination, and
 * are looked up again where the inside is (nat/README.md). The others are ours. IPv6 passes.
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

export class NatIn {
  readonly #nat: Nat;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #lookup: Frame;
  readonly #local: Frame;

  constructor(nat: Nat, counters: Counters, clock: BreathClock, lookup: Frame, local: Frame) {
    this.#nat = nat;
    this.#counters = counters;
    this.#clock = clock;
    this.#lookup = lookup;
    this.#local = local;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { held } = this.#nat.pieces;
    this.#nat.advance(this.#clock.now);
    held.advance(this.#clock.now, this.#counters);
    for (let i = 0; i < frame.count; i++) {
      this.#translate(batch, frame.rows[i]!);
      // Those that came before their first one go on behind it.
      while (held.ready > 0) {
        const row = takeHeld(held, batch, frame.rows[i]!, this.#counters);
        if (row >= 0) this.#translate(batch, row);
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
