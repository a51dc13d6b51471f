/**
 * Which way the pieces of a datagram go: only the first has ports (RFC 4787 section 11). It leaves what became of it here under source,
 * destination, identification and protocol, for a while; a piece that comes before it waits (held-pieces.ts).
 * As many as there are rows; the oldest gives way to a new one.
 */
import type { Rng } from '@vrouter/core/rng.ts';
import { TICK_MS } from './settings.ts';
import { TupleIndex } from './tuple-index.ts';

const ROWS = 1024;

/** Way and identification in one word of a key. */
export function wayAndId(way: 0 | 1, id: number): number {
  return (way << 16) | id;
}

export class Fragments {
  /** The address that takes the place of the old one, the VRF behind it, what the IP header's sum gains. */
  readonly address: Int32Array;
  readonly vrf: Uint16Array;
  readonly delta: Uint16Array;
  readonly #keys: Int32Array;
  readonly #deadline: Int32Array;
  /** 1 by row once it has a key. */
  readonly #taken: Uint8Array;
  readonly #index: TupleIndex;
  readonly #lifeMs: number;
  #next: number;
  #tick: number;
  #life: number;

  constructor(lifeMs: number, rng: Rng) {
    this.address = new Int32Array(ROWS);
    this.vrf = new Uint16Array(ROWS);
    this.delta = new Uint16Array(ROWS);
    this.#keys = new Int32Array(4 * ROWS);
    this.#deadline = new Int32Array(ROWS);
    this.#taken = new Uint8Array(ROWS);
    this.#index = new TupleIndex(rng.uint32(), ROWS);
    this.#lifeMs = lifeMs;
    this.#next = 0;
    this.#tick = 0;
    this.#life = 0;
  }

  advance(now: number): void {
    this.#tick = Math.floor(now / TICK_MS);
    this.#life = Math.ceil((now + this.#lifeMs) / TICK_MS);
  }

  /** The row of a datagram, -1 when its first piece has not come. `way` is 1 for the way out, 0 for the way in. */
  find(src: number, dst: number, id: number, way: 0 | 1, realmWord: number): number {
    const row = this.#index.find(src, dst, wayAndId(way, id), realmWord);
    return row >= 0 && this.#deadline[row]! > this.#tick ? row : -1;
  }

  /** The first piece of a datagram has been translated. */
  put(
    src: number,
    dst: number,
    id: number,
    way: 0 | 1,
    realmWord: number,
    address: number,
    vrf: number,
    delta: number,
  ): void {
    const keys = this.#keys;
    let row = this.#index.find(src, dst, wayAndId(way, id), realmWord);
    if (row < 0) {
      row = this.#next;
      this.#next = (row + 1) % ROWS;
      const at = 4 * row;
      if (this.#taken[row] === 1) this.#index.delete(keys[at]!, keys[at + 1]!, keys[at + 2]!, keys[at + 3]!);
      this.#taken[row] = 1;
      keys[at] = src;
      keys[at + 1] = dst;
      keys[at + 2] = wayAndId(way, id);
      keys[at + 3] = realmWord;
      this.#index.set(src, dst, wayAndId(way, id), realmWord, row);
    }
    this.#deadline[row] = this.#life;
    this.address[row] = address;
    this.vrf[row] = vrf;
    this.delta[row] = delta;
  }

  /** What was said of an earlier datagram of this identification holds no longer. */
  forget(src: number, dst: number, id: number, way: 0 | 1, realmWord: number): void {
    const row = this.#index.find(src, dst, wayAndId(way, id), realmWord);
    if (row >= 0) this.#deadline[row] = 0;
  }

  /** Forgets every datagram: what they were translated by may be gone. */
  clear(): void {
    this.#deadline.fill(0);
  }
}
