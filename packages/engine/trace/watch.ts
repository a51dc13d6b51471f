/** One who watches, and what waits for it: bounded, since a slow reader must never hold up packets. What does not fit is counted. */
import type { CaptureDirection, TraceRow } from '../control/trace-messages.ts';
import type { PacketFilter } from './filter.ts';

/** A captured packet before it becomes a message. */
export interface CapturedPacket {
  readonly unixMs: number;
  readonly link: string;
  readonly direction: CaptureDirection;
  readonly drop: string | null;
  readonly length: number;
  readonly data: Uint8Array;
}

const MAX_ROWS = 4096;
const MAX_BYTES = 4 << 20;
/** What a row of a trace weighs, roughly. */
export const TRACE_ROW_BYTES = 1024;

export class Watch<T> {
  readonly filter: PacketFilter;
  /** Rows that found no room, ever. */
  lost: number;
  readonly #ready: () => void;
  #rows: T[];
  #bytes: number;
  #remaining: number;
  #done: boolean;

  /** `ready` is called whenever there is something to take again, and when the watch has ended by its limit. */
  constructor(filter: PacketFilter, ready: () => void) {
    this.filter = filter;
    this.lost = 0;
    this.#ready = ready;
    this.#rows = [];
    this.#bytes = 0;
    this.#remaining = filter.count;
    this.#done = false;
  }

  /** Nothing will come any more; what waits can still be taken. */
  get done(): boolean {
    return this.#done;
  }

  /** Whether the next row of a trace would find no room. */
  get full(): boolean {
    return this.#rows.length >= MAX_ROWS || this.#bytes + TRACE_ROW_BYTES > MAX_BYTES;
  }

  push(row: T, bytes: number): void {
    if (this.#done) return;
    if (this.#rows.length >= MAX_ROWS || this.#bytes + bytes > MAX_BYTES) {
      this.lost++;
      return;
    }
    const first = this.#rows.length === 0;
    this.#rows.push(row);
    this.#bytes += bytes;
    this.#remaining--;
    if (this.#remaining <= 0) this.#done = true;
    if (first || this.#done) this.#ready();
  }

  /** What has come, all of it. */
  take(): readonly T[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    return rows;
  }

  end(): void {
    this.#done = true;
  }
}

export type TraceWatch = Watch<TraceRow>;

export class CaptureWatch extends Watch<CapturedPacket> {
  /** Most bytes of a packet that are kept. */
  readonly snapLen: number;

  constructor(filter: PacketFilter, snapLen: number, ready: () => void) {
    super(filter, ready);
    this.snapLen = snapLen;
  }
}
