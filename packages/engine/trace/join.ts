/**
 * One watch over several workers: their rows in the order of time, and of packets that changed workers the parts as one row. Rows are
 * held for a moment, since workers tell what they have seen each in its own time. One that is later than that is not waited for, as an idle
 * one says nothing at all: its rows come behind younger ones. No clock: the caller says how late it is.
 */
import type { TraceRow } from '../control/trace-messages.ts';
import type { TracePart } from './parts.ts';
import { type CapturedPacket, type CaptureWatch, TRACE_ROW_BYTES, type TraceWatch } from './watch.ts';

/** How long a row waits for older ones of others. */
export const HOLD_MS = 100;
/** How long the parts of a packet wait for those that are missing. */
const PARTS_MS = 1000;
/** Rows, and packets of which parts are missing, that may wait. */
const MAX_HELD = 16_384;

/** What a watch over several workers is for whoever drives it. */
export interface Join<T> {
  readonly watch: { readonly done: boolean; lost: number; end(): void };
  /** What a worker has seen. */
  add(rows: readonly T[]): void;
  /** Gives the watch what has waited long enough; `all`: whatever there is. */
  release(unixMs: number, all: boolean): void;
  /** Whether something waits. */
  readonly waiting: boolean;
}

/** A list that is given out by time. Rows of one time come by rank, and then as they were put in. */
class Held<T extends { readonly unixMs: number }> {
  readonly #rank: (row: T) => number;
  #rows: T[];

  constructor(rank: (row: T) => number) {
    this.#rank = rank;
    this.#rows = [];
  }

  get count(): number {
    return this.#rows.length;
  }

  put(row: T): void {
    this.#rows.push(row);
  }

  /** Those up to this time. */
  take(unixMs: number): readonly T[] {
    this.#rows.sort((a, b) => a.unixMs - b.unixMs || this.#rank(a) - this.#rank(b));
    const end = this.#rows.findIndex((row) => row.unixMs > unixMs);
    return this.#rows.splice(0, end < 0 ? this.#rows.length : end);
  }
}

export class CaptureJoin implements Join<CapturedPacket> {
  readonly watch: CaptureWatch;
  readonly #held: Held<CapturedPacket>;

  constructor(watch: CaptureWatch) {
    this.watch = watch;
    // What came in within a millisecond came in before it went out.
    this.#held = new Held((packet) => (packet.direction === 'in' ? 0 : 1));
  }

  get waiting(): boolean {
    return this.#held.count > 0;
  }

  add(rows: readonly CapturedPacket[]): void {
    for (const row of rows)
      if (this.#held.count < MAX_HELD) this.#held.put(row);
      else this.watch.lost++;
  }

  release(unixMs: number, all: boolean): void {
    const until = all ? Number.POSITIVE_INFINITY : unixMs - HOLD_MS;
    for (const row of this.#held.take(until)) this.watch.push(row, row.data.length + 64);
  }
}

/** The parts of one packet, by hop, as far as they have come. */
interface Way {
  readonly since: number;
  readonly parts: (TracePart | null)[];
}

export class TraceJoin implements Join<TraceRow | TracePart> {
  readonly watch: TraceWatch;
  readonly #held: Held<TraceRow>;
  readonly #ways: Map<number, Way>;

  constructor(watch: TraceWatch) {
    this.watch = watch;
    this.#held = new Held(() => 0);
    this.#ways = new Map();
  }

  get waiting(): boolean {
    return this.#held.count + this.#ways.size > 0;
  }

  add(rows: readonly (TraceRow | TracePart)[]): void {
    for (const row of rows)
      if (!('hop' in row)) this.#hold(row);
      else this.#part(row);
  }

  release(unixMs: number, all: boolean): void {
    for (const [id, way] of this.#ways) {
      if (!all && way.since > unixMs - PARTS_MS) continue;
      this.#ways.delete(id);
      // A worker had no room for its part, or the packet was lost between the two.
      this.#join(way);
    }
    for (const row of this.#held.take(all ? Number.POSITIVE_INFINITY : unixMs - HOLD_MS))
      this.watch.push(row, TRACE_ROW_BYTES);
  }

  #part(part: TracePart): void {
    let way = this.#ways.get(part.id);
    if (way === undefined) {
      if (this.#ways.size >= MAX_HELD) {
        this.watch.lost++;
        return;
      }
      way = { since: part.unixMs, parts: [] };
      this.#ways.set(part.id, way);
    }
    while (way.parts.length <= part.hop) way.parts.push(null);
    way.parts[part.hop] = part;
    if (way.parts.includes(null) || way.parts.at(-1)!.more) return;
    this.#ways.delete(part.id);
    this.#join(way);
  }

  /** Makes a row of the parts up to the first that is missing. Without the first of all it is a packet that others watch. */
  #join({ parts }: Way): void {
    const gap = parts.indexOf(null);
    const known = (gap < 0 ? parts : parts.slice(0, gap)).filter((part) => part !== null);
    const [first] = known;
    const last = known.at(-1);
    if (first === undefined || last === undefined) return;
    const drop = known.find((part) => part.drop !== null)?.drop ?? null;
    const row: TraceRow = {
      unixMs: first.unixMs,
      link: first.link,
      peer: first.peer,
      packet: first.packet,
      steps: known.flatMap((part) => part.steps),
      end: drop === null ? last.end : 'dropped',
      drop,
      outLink: last.outLink ?? first.outLink,
      outPeer: last.outPeer ?? first.outPeer,
    };
    const { filter } = this.watch;
    if (filter.drops && drop === null) return;
    if (filter.place(row.link, row.peer, row.outLink, row.outPeer)) this.#hold(row);
  }

  #hold(row: TraceRow): void {
    if (this.#held.count < MAX_HELD) this.#held.put(row);
    else this.watch.lost++;
  }
}
