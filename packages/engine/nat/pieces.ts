/**
 * Pieces of datagrams at the translator: the first one is translated like a whole packet and leaves here what became of it; the others
 * share its lot, those that came before it too (RFC 4787 section 11, REQ-14). Nothing is put together: what was sent in pieces goes on in
 * pieces of the same sizes.
 *
 * Read first: fragments.ts, held-pieces.ts.
 */
import type { Rng } from '@vrouter/core/rng.ts';
import type { Flow } from './flow.ts';
import { Fragments, wayAndId } from './fragments.ts';
import { HeldPieces } from './held-pieces.ts';
import { realm } from './mappings.ts';
import { rewriteAddress } from './rewrite.ts';

export const OUT = 1;
export const IN = 0;

/** What became of a datagram, as far as its first piece has told. */
export const Lot = { asItIs: 0, refused: 1, translated: 2, unknown: 3 } as const;
export type Lot = (typeof Lot)[keyof typeof Lot];

export class Pieces {
  /** Those that wait; what is `ready` of them after a first piece is to be put through behind it. */
  readonly held: HeldPieces;
  /** After `outward` and `inward` of a translated piece: the VRF in which it goes on. */
  vrf: number;
  readonly #translated: Fragments;
  /** Apart, so that whoever sends us first pieces that nobody inside has to do with does not push out the others. */
  readonly #untranslated: Fragments;

  constructor(lifeMs: number, rng: Rng) {
    this.held = new HeldPieces();
    this.vrf = 0;
    this.#translated = new Fragments(lifeMs, rng);
    this.#untranslated = new Fragments(lifeMs, rng);
  }

  advance(now: number): void {
    this.#translated.advance(now);
    this.#untranslated.advance(now);
  }

  /** Rules, links or addresses are others now: what was said of datagrams under way holds no longer, and what waits has nowhere to go. */
  clear(): void {
    this.#translated.clear();
    this.#untranslated.clear();
    this.held.giveUp();
  }

  /** The first piece got `address` in the place of its source (`OUT`) or destination (`IN`), and goes on in VRF `next`. */
  translate(flow: Flow, way: 0 | 1, vrf: number, address: number, next: number, delta: number): void {
    this.#translated.put(flow.src, flow.dst, flow.id, way, realm(flow.protocol, vrf), address, next, delta);
  }

  /** The first piece, which came from `src`, has been looked at, and this became of it. `unknown` leaves no trace. */
  settle(src: number, flow: Flow, way: 0 | 1, vrf: number, lot: Lot): void {
    const { dst, id } = flow;
    const word = realm(flow.protocol, vrf);
    // An earlier datagram may have had the same identification.
    if (lot !== Lot.translated) this.#translated.forget(src, dst, id, way, word);
    if (lot === Lot.asItIs || lot === Lot.refused) this.#untranslated.put(src, dst, id, way, word, lot, 0, 0);
    else this.#untranslated.forget(src, dst, id, way, word);
    this.held.release(src, dst, wayAndId(way, id), word);
  }

  /** A later piece on its way out: translated if its first was. */
  outward(view: DataView, flow: Flow, vrf: number): Lot {
    const word = realm(flow.protocol, vrf);
    const row = this.#translated.find(flow.src, flow.dst, flow.id, OUT, word);
    if (row < 0) return this.#lotOf(flow, OUT, word);
    this.#rewrite(view, flow, OUT, row);
    return Lot.translated;
  }

  /** A later piece on its way in; one of a hairpin gets both ends. */
  inward(view: DataView, flow: Flow, vrf: number): Lot {
    const word = realm(flow.protocol, vrf);
    const hairpin = this.#translated.find(flow.src, flow.dst, flow.id, OUT, word);
    const src = hairpin < 0 ? flow.src : this.#translated.address[hairpin]!;
    const row = this.#translated.find(src, flow.dst, flow.id, IN, word);
    if (row < 0) return this.#lotOf(flow, IN, word);
    if (hairpin >= 0) this.#rewrite(view, flow, OUT, hairpin);
    this.#rewrite(view, flow, IN, row);
    return Lot.translated;
  }

  /** Keeps a piece until its first comes; false when there is no room. `egress` is -1 on the way in. */
  keep(view: DataView, flow: Flow, end: number, way: 0 | 1, vrf: number, ingress: number, egress: number): boolean {
    const { at, src, dst, id } = flow;
    const word = realm(flow.protocol, vrf);
    return this.held.keep(view, at, end, src, dst, wayAndId(way, id), word, vrf, ingress, egress);
  }

  #lotOf(flow: Flow, way: 0 | 1, word: number): Lot {
    const row = this.#untranslated.find(flow.src, flow.dst, flow.id, way, word);
    return row < 0 ? Lot.unknown : (this.#untranslated.address[row]! as Lot);
  }

  #rewrite(view: DataView, flow: Flow, way: 0 | 1, row: number): void {
    rewriteAddress(view, flow.at, way === OUT, this.#translated.address[row]!, this.#translated.delta[row]!);
    this.vrf = this.#translated.vrf[row]!;
  }
}
