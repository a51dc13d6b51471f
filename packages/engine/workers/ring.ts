/**
 * A ring in shared memory from one thread to one other: packed records, written by one side and read by the other without a lock.
 *
 *   0 head, the reader's | 64 tail, the writer's | 128 data, a power of two
 *
 * Head and tail count bytes for ever (modulo 2^32) and are the only words that both threads touch; each has a cache line of its own. A
 * record never wraps: what does not fit before the end starts anew at the beginning, behind a filler. Records show when published.
 *
 *   0 bytes of the record | 4 kind, flags << 8 | 8 link | 12 other link | 16 length | 20 port, address bytes << 16, source bytes << 24
 *   24 address 16 | 40 VRF, or the interface of the source | 44 trace | 48 source 16 | 64 bytes
 */
import { type Endpoint, makeEndpoint } from '@vrouter/core/endpoint.ts';

/**
 * What a record is, and with that where its way through the graph goes on: a `packet` for a link, a `datagram` to be opened, a packet
 * to be translated on its way out or in. `filler` runs to the end of the data and says nothing.
 */
export const Parcel = { filler: 0, packet: 1, datagram: 2, natOut: 3, natIn: 4 } as const;
export type Parcel = (typeof Parcel)[keyof typeof Parcel];

const HEAD = 0;
const TAIL = 16;
const DATA_AT = 128;
const HEADER = 64;

/** Memory for a ring of `bytes`, a power of two. A record of up to half of them always finds room in the end. */
export function makeRing(bytes: number): SharedArrayBuffer {
  if (bytes < 256 || (bytes & (bytes - 1)) !== 0) throw new RangeError(`a ring has a power of two bytes, not ${bytes}`);
  return new SharedArrayBuffer(DATA_AT + bytes);
}

/** Bytes that a record takes. */
function recordBytes(length: number): number {
  return (HEADER + length + 7) & ~7;
}

export class RingWriter {
  readonly #ends: Int32Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #size: number;
  /** Where the next record goes, and how far the reader was when last asked. */
  #tail: number;
  #head: number;
  #published: number;

  constructor(memory: SharedArrayBuffer) {
    this.#ends = new Int32Array(memory, 0, DATA_AT / 4);
    this.#words = new Int32Array(memory, DATA_AT);
    this.#bytes = new Uint8Array(memory, DATA_AT);
    this.#size = this.#bytes.length;
    this.#tail = Atomics.load(this.#ends, TAIL);
    this.#head = Atomics.load(this.#ends, HEAD);
    this.#published = this.#tail;
  }

  /**
   * Writes a record of `length` bytes at `at`; false when there is no room. The reader sees it after `publish`. `flags` are those of the
   * row, 24 bits; `trace` says who watches it (trace/tracer.ts).
   */
  write(
    kind: Parcel,
    link: number,
    otherLink: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    from: Endpoint | null,
    vrf: number = 0,
    flags: number = 0,
    trace: number = 0,
  ): boolean {
    const need = recordBytes(length);
    let place = this.#tail & (this.#size - 1);
    const filler = place + need > this.#size ? this.#size - place : 0;
    if (!this.#room(filler + need)) return false;
    if (filler > 0) {
      this.#words[place >> 2] = filler;
      this.#words[(place >> 2) + 1] = Parcel.filler;
      place = 0;
    }
    const word = place >> 2;
    this.#words[word] = need;
    this.#words[word + 1] = kind | (flags << 8);
    this.#words[word + 2] = link;
    this.#words[word + 3] = otherLink;
    this.#words[word + 4] = length;
    this.#words[word + 5] = 0;
    this.#words[word + 10] = vrf;
    this.#words[word + 11] = trace;
    if (from !== null) {
      const { source } = from;
      this.#words[word + 5] = from.port | (from.address.length << 16) | ((source?.address.length ?? 0) << 24);
      this.#bytes.set(from.address, place + 24);
      if (source !== null) {
        this.#words[word + 10] = source.interfaceIndex;
        this.#bytes.set(source.address, place + 48);
      }
    }
    // The view costs less than a loop over as little as 64 bytes (100 ns in and out, against 250).
    this.#bytes.set(bytes.subarray(at, at + length), place + HEADER);
    this.#tail = (this.#tail + filler + need) | 0;
    return true;
  }

  /** Shows the reader what was written; false when that is nothing. */
  publish(): boolean {
    if (this.#tail === this.#published) return false;
    this.#published = this.#tail;
    Atomics.store(this.#ends, TAIL, this.#tail);
    return true;
  }

  #room(need: number): boolean {
    if (need <= this.#size - ((this.#tail - this.#head) >>> 0)) return true;
    this.#head = Atomics.load(this.#ends, HEAD);
    return need <= this.#size - ((this.#tail - this.#head) >>> 0);
  }
}

export class RingReader {
  /** The record that `next` found; its bytes are those of `bytes` from `at` on, good until `release`. */
  kind: Parcel;
  flags: number;
  link: number;
  otherLink: number;
  length: number;
  vrf: number;
  trace: number;
  at: number;
  readonly bytes: Uint8Array;
  readonly #ends: Int32Array;
  readonly #words: Int32Array;
  readonly #size: number;
  #head: number;
  #tail: number;

  constructor(memory: SharedArrayBuffer) {
    this.#ends = new Int32Array(memory, 0, DATA_AT / 4);
    this.#words = new Int32Array(memory, DATA_AT);
    this.bytes = new Uint8Array(memory, DATA_AT);
    this.#size = this.bytes.length;
    this.#head = Atomics.load(this.#ends, HEAD);
    this.#tail = this.#head;
    this.kind = Parcel.filler;
    this.flags = 0;
    this.link = 0;
    this.otherLink = 0;
    this.length = 0;
    this.vrf = 0;
    this.trace = 0;
    this.at = 0;
  }

  /** Whether a record waits. */
  get waiting(): boolean {
    if (this.#head === this.#tail) this.#tail = Atomics.load(this.#ends, TAIL);
    return this.#head !== this.#tail;
  }

  /** Looks at the record that waits first; false when none does. `take` passes it. */
  peek(): boolean {
    if (!this.waiting) return false;
    let word = (this.#head & (this.#size - 1)) >> 2;
    if (this.#words[word + 1] === Parcel.filler) {
      // Behind a filler there is always a record, published with it.
      this.#head = (this.#head + this.#words[word]!) | 0;
      word = 0;
    }
    this.kind = (this.#words[word + 1]! & 0xff) as Parcel;
    this.flags = this.#words[word + 1]! >>> 8;
    this.link = this.#words[word + 2]!;
    this.otherLink = this.#words[word + 3]!;
    this.length = this.#words[word + 4]!;
    this.vrf = this.#words[word + 10]!;
    this.trace = this.#words[word + 11]!;
    this.at = 4 * word + HEADER;
    return true;
  }

  /** Where the datagram came from. A fresh object: for the few that are handed over. */
  endpoint(): Endpoint {
    const word = (this.at - HEADER) >> 2;
    const packed = this.#words[word + 5]!;
    const bytes = (from: number, length: number): Uint8Array =>
      new Uint8Array(this.bytes.subarray(this.at - HEADER + from, this.at - HEADER + from + length));
    const sourceBytes = packed >>> 24;
    const source =
      sourceBytes === 0 ? null : { address: bytes(48, sourceBytes), interfaceIndex: this.#words[word + 10]! };
    return makeEndpoint(bytes(24, (packed >>> 16) & 0xff), packed & 0xffff, source);
  }

  /** Passes the record that `peek` showed. */
  take(): void {
    this.#head = (this.#head + recordBytes(this.length)) | 0;
  }

  /** Gives the writer the room of all that was taken. */
  release(): void {
    Atomics.store(this.#ends, HEAD, this.#head);
  }
}
