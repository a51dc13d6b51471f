/**
 * Our 32-bit indices: random, unique in the device, each naming a handshake that waits for its response (then a peer) or a session.
 * Open addressing over typed columns: a lookup per packet must not allocate, and because indices are random they are their own hash.
 */
import type { Rng } from '@vrouter/core/rng.ts';

const FIRST_SLOTS = 64;

/** The top `bits` of every index are `value`, so that whoever sees an index knows which part of a divided device it belongs to. */
export interface IndexPrefix {
  /** 0 to 8. */
  readonly bits: number;
  readonly value: number;
}

const NO_PREFIX: IndexPrefix = { bits: 0, value: 0 };

export class IndexTable<P, S> {
  readonly #rng: Rng;
  readonly #prefix: IndexPrefix;
  #keys: Uint32Array = new Uint32Array(FIRST_SLOTS);
  #used: Uint8Array = new Uint8Array(FIRST_SLOTS);
  #waiting: (P | null)[] = new Array<P | null>(FIRST_SLOTS).fill(null);
  #sessions: (S | null)[] = new Array<S | null>(FIRST_SLOTS).fill(null);
  #mask = FIRST_SLOTS - 1;
  #size = 0;

  constructor(rng: Rng, prefix: IndexPrefix = NO_PREFIX) {
    this.#rng = rng;
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#size;
  }

  /** A fresh index for a handshake of the peer. */
  reserve(waiting: P): number {
    if (2 * (this.#size + 1) > this.#keys.length) this.#grow();
    for (;;) {
      const index = this.#draw();
      const slot = this.#find(index);
      if (this.#used[slot] === 1) continue;
      this.#put(slot, index, waiting, null);
      this.#size++;
      return index;
    }
  }

  /** The handshake became a session: the index stays and names that. */
  promote(index: number, session: S): void {
    const slot = this.#find(index);
    if (this.#used[slot] === 0) throw new Error('promote: no such index');
    this.#waiting[slot] = null;
    this.#sessions[slot] = session;
  }

  /** Whose unanswered handshake it is, or null. */
  waiting(index: number): P | null {
    return this.#waiting[this.#find(index)]!;
  }

  session(index: number): S | null {
    return this.#sessions[this.#find(index)]!;
  }

  release(index: number): void {
    let hole = this.#find(index);
    if (this.#used[hole] === 0) return;
    this.#size--;
    // Later entries of the run move up, so that no search stops short of them; no tombstones pile up.
    for (let slot = (hole + 1) & this.#mask; this.#used[slot] === 1; slot = (slot + 1) & this.#mask) {
      const home = this.#keys[slot]! & this.#mask;
      if (((slot - home) & this.#mask) < ((slot - hole) & this.#mask)) continue;
      this.#put(hole, this.#keys[slot]!, this.#waiting[slot]!, this.#sessions[slot]!);
      hole = slot;
    }
    this.#used[hole] = 0;
    this.#waiting[hole] = null;
    this.#sessions[hole] = null;
  }

  #draw(): number {
    const { bits, value } = this.#prefix;
    const random = this.#rng.uint32();
    // A shift by 32 would shift by nothing.
    return bits === 0 ? random : ((value << (32 - bits)) | (random >>> bits)) >>> 0;
  }

  /** The slot that has the index, or the free one where it would go. */
  #find(index: number): number {
    let slot = index & this.#mask;
    while (this.#used[slot] === 1 && this.#keys[slot] !== index) slot = (slot + 1) & this.#mask;
    return slot;
  }

  #put(slot: number, index: number, waiting: P | null, session: S | null): void {
    this.#keys[slot] = index;
    this.#used[slot] = 1;
    this.#waiting[slot] = waiting;
    this.#sessions[slot] = session;
  }

  #grow(): void {
    const keys = this.#keys;
    const used = this.#used;
    const waiting = this.#waiting;
    const sessions = this.#sessions;
    const slots = keys.length * 2;
    this.#keys = new Uint32Array(slots);
    this.#used = new Uint8Array(slots);
    this.#waiting = new Array<P | null>(slots).fill(null);
    this.#sessions = new Array<S | null>(slots).fill(null);
    this.#mask = slots - 1;
    for (let i = 0; i < keys.length; i++)
      if (used[i] === 1) this.#put(this.#find(keys[i]!), keys[i]!, waiting[i]!, sessions[i]!);
  }
}
