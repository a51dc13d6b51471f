/**
 * Pieces that came before the first one of their datagram, which alone says where all of them go (RFC 4787 section 11, REQ-14: out of
 * order too). They wait as copies in memory that is fixed, oldest first; one source has a part of it at most, so that whoever sends
 * pieces without a first (REQ-14 a) spoils only what comes out of order, and not for long.
 *
 *   slots   tail [ waiting | gone | waiting | ready ... ] head      a ring; room is given back from the tail on
 *   slab         [ bytes of the same, one behind the other     ]    a ring too; a piece never wraps round its end
 */
import type { Counters } from '../graph/counters.ts';
import { Drop } from '../graph/drops.ts';

export const HELD_PIECES = 256;
export const HELD_OF_SOURCE = 64;
export const HELD_BYTES = 512 << 10;
/** Long enough for other ways through a network, far below the 15 s after which datagrams are given up (RFC 791 section 3.2). */
export const HELD_MS = 2000;

const State = { gone: 0, waiting: 1, ready: 2 } as const;
/** Source, destination, way and identification, realm. */
const KEY_WORDS = 4;

export class HeldPieces {
  /** Pieces whose first one has come: to be taken with `next` now. */
  ready: number;
  readonly slab: Uint8Array;
  /** By slot: where it lies in `slab`, its columns of the batch. */
  readonly at: Int32Array;
  readonly length: Int32Array;
  readonly vrf: Int32Array;
  readonly ingress: Int32Array;
  readonly egress: Int32Array;
  readonly #state: Uint8Array;
  readonly #keys: Int32Array;
  readonly #until: Float64Array;
  #tail: number;
  /** Slots from the tail to the head, whatever their state, and those of them that wait. */
  #used: number;
  #waiting: number;
  /** Where the next piece goes in the slab. */
  #end: number;
  #now: number;

  constructor() {
    this.ready = 0;
    this.slab = new Uint8Array(HELD_BYTES);
    this.at = new Int32Array(HELD_PIECES);
    this.length = new Int32Array(HELD_PIECES);
    this.vrf = new Int32Array(HELD_PIECES);
    this.ingress = new Int32Array(HELD_PIECES);
    this.egress = new Int32Array(HELD_PIECES);
    this.#state = new Uint8Array(HELD_PIECES);
    this.#keys = new Int32Array(HELD_PIECES * KEY_WORDS);
    this.#until = new Float64Array(HELD_PIECES);
    this.#tail = 0;
    this.#used = 0;
    this.#waiting = 0;
    this.#end = 0;
    this.#now = 0;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Lets time come to `now`, in milliseconds; pieces whose first has not come by then are counted as drops of the link they wait for. */
  advance(now: number, counters: Counters): void {
    this.#now = now;
    while (this.#used > 0 && this.#until[this.#tail]! <= now) {
      const slot = this.#tail;
      if (this.#state[slot] === State.waiting) {
        this.#waiting--;
        counters.drop(Drop.natFragment, this.egress[slot]! < 0 ? this.ingress[slot]! : this.egress[slot]!);
      } else if (this.#state[slot] === State.ready) this.ready--;
      this.#state[slot] = State.gone;
      this.#shrink();
    }
  }

  /** Keeps a copy of a piece; false when there is no room. `egress` is -1 on the way in. */
  keep(
    view: DataView,
    from: number,
    end: number,
    src: number,
    dst: number,
    wayAndId: number,
    realmWord: number,
    vrf: number,
    ingress: number,
    egress: number,
  ): boolean {
    if (this.#used === HELD_PIECES || this.#ofSource(src) >= HELD_OF_SOURCE) return false;
    const length = end - from;
    const at = this.#room(length);
    if (at < 0) return false;
    const slot = (this.#tail + this.#used++) % HELD_PIECES;
    this.slab.set(new Uint8Array(view.buffer, view.byteOffset + from, length), at);
    this.#end = at + length;
    this.at[slot] = at;
    this.length[slot] = length;
    this.vrf[slot] = vrf;
    this.ingress[slot] = ingress;
    this.egress[slot] = egress;
    this.#keys.set([src, dst, wayAndId, realmWord], slot * KEY_WORDS);
    this.#until[slot] = this.#now + HELD_MS;
    this.#state[slot] = State.waiting;
    this.#waiting++;
    return true;
  }

  /** The first piece of a datagram has come: those that waited for it are ready. */
  release(src: number, dst: number, wayAndId: number, realmWord: number): void {
    if (this.#waiting === 0) return;
    const keys = this.#keys;
    for (let i = 0; i < this.#used; i++) {
      const slot = (this.#tail + i) % HELD_PIECES;
      const at = slot * KEY_WORDS;
      if (this.#state[slot] !== State.waiting || keys[at] !== src || keys[at + 1] !== dst) continue;
      if (keys[at + 2] !== wayAndId || keys[at + 3] !== realmWord) continue;
      this.#state[slot] = State.ready;
      this.#waiting--;
      this.ready++;
    }
  }

  /** Links and VRFs may be others now than those that pieces wait for: all of them are given up, and counted with the next `advance`. */
  giveUp(): void {
    for (let i = 0; i < this.#used; i++) {
      const slot = (this.#tail + i) % HELD_PIECES;
      this.#until[slot] = -1;
      // No packet has this realm.
      this.#keys[slot * KEY_WORDS + 3] = -1;
    }
  }

  /** The slot of the next piece that is ready, in the order in which they came; -1 without one. Its bytes stay until the next `keep`. */
  next(): number {
    for (let i = 0; this.ready > 0 && i < this.#used; i++) {
      const slot = (this.#tail + i) % HELD_PIECES;
      if (this.#state[slot] !== State.ready) continue;
      this.#state[slot] = State.gone;
      this.ready--;
      this.#shrink();
      return slot;
    }
    return -1;
  }

  /** Gives back what is gone at the tail. */
  #shrink(): void {
    while (this.#used > 0 && this.#state[this.#tail] === State.gone) {
      this.#tail = (this.#tail + 1) % HELD_PIECES;
      this.#used--;
    }
  }

  /** Where so many bytes fit behind the last piece, or at the start of the slab; -1 when nowhere. */
  #room(length: number): number {
    if (this.#used === 0) return length <= HELD_BYTES ? 0 : -1;
    const first = this.at[this.#tail]!;
    if (this.#end > first) {
      if (this.#end + length <= HELD_BYTES) return this.#end;
      return length <= first ? 0 : -1;
    }
    return this.#end + length <= first ? this.#end : -1;
  }

  #ofSource(src: number): number {
    let count = 0;
    for (let i = 0; i < this.#used; i++) {
      const slot = (this.#tail + i) % HELD_PIECES;
      if (this.#state[slot] === State.waiting && this.#keys[slot * KEY_WORDS] === src) count++;
    }
    return count;
  }
}
