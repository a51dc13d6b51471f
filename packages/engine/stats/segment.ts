/** The writing side of a segment. Read layout.ts first. */
import { PAGE_RECORDS, type RecordMemory } from '@vrouter/protocols/wireguard/records.ts';
import { encodeUtf8 } from '../control/utf8.ts';
import { ALIGN, type Directory, HEAD_BYTES, Head, MAGIC, VERSION } from './layout.ts';
import type { ReadStats } from './reader.ts';

/** An eighth of the memory is not for peers. */
const COLUMNS_SHARE = 8;

export class StatsSegment implements RecordMemory {
  readonly pageRecords: number = PAGE_RECORDS;
  readonly #memory: ArrayBuffer | SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #pages: Float64Array[];
  #used: number;
  /** Changes begun and not ended. */
  #depth: number;
  #told: string;
  /** Room for the text where it is now. */
  #textRoom: number;

  /** `memory`: zeros, as many bytes as the segment may ever have. Others may look at it as soon as something has been told. */
  constructor(memory: ArrayBuffer | SharedArrayBuffer) {
    this.#memory = memory;
    this.#head = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.#pages = [];
    this.#used = HEAD_BYTES;
    this.#depth = 0;
    this.#told = '';
    this.#textRoom = 0;
  }

  /** Zeros to count in; somewhere else, unseen, where the segment is full. */
  column(length: number): Float64Array {
    const at = this.#take(8 * length);
    return at === null ? new Float64Array(length) : new Float64Array(this.#memory, at, length);
  }

  page(doubles: number): Float64Array {
    // A last part is kept for columns, which all links share.
    const full = this.#used + 8 * doubles > this.#memory.byteLength - this.#memory.byteLength / COLUMNS_SHARE;
    const page = full ? new Float64Array(doubles) : this.column(doubles);
    this.#pages.push(page);
    return page;
  }

  get pageCount(): number {
    return this.#pages.length;
  }

  /** Where the pages of peers' records are. */
  pages(): number[] {
    return this.#pages.map((page) => this.at(page)).filter((at) => at >= 0);
  }

  /** Where a column is; -1: not in here. */
  at(column: Float64Array): number {
    return column.buffer === this.#memory ? column.byteOffset : -1;
  }

  /** For readers of the same process. */
  readonly read: ReadStats = (at, length) => new Uint8Array(this.#memory).subarray(at, at + length);

  changing(begins: boolean): void {
    this.#depth += begins ? 1 : -1;
    if (this.#depth === (begins ? 1 : 0)) Atomics.add(this.#head, Head.sequence, 1);
  }

  /** Says what is where. Nothing is written when that is what was said last. */
  tell(directory: Directory): void {
    const text = JSON.stringify(directory);
    if (text === this.#told) return;
    const bytes = encodeUtf8(text);
    this.changing(true);
    if (bytes.length > this.#textRoom) this.#moveText(2 * bytes.length);
    if (bytes.length <= this.#textRoom) {
      new Uint8Array(this.#memory, this.#head[Head.textAt]!, bytes.length).set(bytes);
      this.#head[Head.textBytes] = bytes.length;
      this.#told = text;
    }
    this.#head[Head.magic] = MAGIC;
    this.#head[Head.version] = VERSION;
    this.changing(false);
  }

  #moveText(room: number): void {
    const at = this.#take(room);
    if (at === null) return;
    this.#head[Head.textAt] = at;
    this.#textRoom = room;
  }

  #take(bytes: number): number | null {
    const at = this.#used;
    if (at + bytes > this.#memory.byteLength) return null;
    this.#used = (at + bytes + ALIGN - 1) & -ALIGN;
    this.#head[Head.used] = Math.min(this.#used, this.#memory.byteLength);
    return at;
  }
}
