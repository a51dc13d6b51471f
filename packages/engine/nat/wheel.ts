/**
 * Deadlines of rows on a wheel of ticks: a row waits in the slot of the tick at which it is to be looked at. A deadline that moves away
 * is left where it is and looked at once in vain, so that a packet of a live session costs no list work; one that comes nearer
 * moves. The cost of time follows what is due, not what there is.
 */

/** A power of two. Ticks further away wait in the last slot and are put off from there. */
const SLOTS = 8192;
const NONE = -1;

/** Who owns the rows. */
export interface WheelOwner {
  /** The row's deadline is looked at: returns a tick later than `tick` to wait on, or 0 when the row is gone for good. */
  due(row: number, tick: number): number;
}

export class Wheel {
  /** The tick up to which everything has been looked at. */
  tick: number;
  readonly #first: Int32Array;
  #next: Int32Array;
  #before: Int32Array;
  /** The tick that a row waits for; 0 when it does not wait. */
  #at: Int32Array;

  constructor(rows: number) {
    this.tick = 0;
    this.#first = new Int32Array(SLOTS).fill(NONE);
    this.#next = new Int32Array(rows);
    this.#before = new Int32Array(rows);
    this.#at = new Int32Array(rows);
  }

  get byteLength(): number {
    return 3 * this.#at.byteLength;
  }

  grow(rows: number): void {
    this.#next = grown(this.#next, rows);
    this.#before = grown(this.#before, rows);
    this.#at = grown(this.#at, rows);
  }

  /** Has the row looked at no later than `tick`. */
  wait(row: number, tick: number): void {
    const at = this.#at[row]!;
    if (at !== 0) {
      if (at <= tick) return;
      this.cancel(row);
    }
    this.#insert(row, tick);
  }

  cancel(row: number): void {
    const at = this.#at[row]!;
    if (at === 0) return;
    const before = this.#before[row]!;
    const next = this.#next[row]!;
    if (before === NONE) this.#first[at & (SLOTS - 1)] = next;
    else this.#next[before] = next;
    if (next !== NONE) this.#before[next] = before;
    this.#at[row] = 0;
  }

  /** Lets time come to `tick`: all that is due by then is shown to the owner. */
  advance(tick: number, owner: WheelOwner): void {
    const slots = Math.min(tick - this.tick, SLOTS);
    this.tick = Math.max(tick, this.tick);
    for (let back = slots - 1; back >= 0; back--) {
      const slot = (tick - back) & (SLOTS - 1);
      // What is put off goes to the head of a slot, perhaps of this one: it is not met again in this walk.
      let row = this.#first[slot]!;
      this.#first[slot] = NONE;
      while (row !== NONE) {
        const next = this.#next[row]!;
        this.#at[row] = 0;
        const later = owner.due(row, tick);
        if (later !== 0) this.#insert(row, later);
        row = next;
      }
    }
  }

  #insert(row: number, tick: number): void {
    const at = Math.min(Math.max(tick, this.tick + 1), this.tick + SLOTS - 1);
    const slot = at & (SLOTS - 1);
    const next = this.#first[slot]!;
    this.#at[row] = at;
    this.#next[row] = next;
    this.#before[row] = NONE;
    if (next !== NONE) this.#before[next] = row;
    this.#first[slot] = row;
  }
}

function grown(from: Int32Array, rows: number): Int32Array {
  const to = new Int32Array(rows);
  to.set(from);
  return to;
}
