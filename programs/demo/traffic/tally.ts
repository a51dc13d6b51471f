/** Counts what arrives, per sender and run: what came, what came twice, what was damaged. */
import { readPayload } from './payload.ts';

export interface Received {
  readonly from: string;
  readonly run: number;
  /** Different sequence numbers that arrived whole. */
  count: number;
  duplicates: number;
}

export class Tally {
  /** Packets that were not what was sent. */
  damaged = 0;
  readonly #rows = new Map<string, { row: Received; seen: Set<number> }>();

  take(from: string, bytes: Uint8Array): void {
    const payload = readPayload(bytes);
    if (payload === null) {
      this.damaged++;
      return;
    }
    const key = `${from} ${payload.run}`;
    let entry = this.#rows.get(key);
    if (entry === undefined) {
      entry = { row: { from, run: payload.run, count: 0, duplicates: 0 }, seen: new Set() };
      this.#rows.set(key, entry);
    }
    if (entry.seen.has(payload.seq)) {
      entry.row.duplicates++;
      return;
    }
    entry.seen.add(payload.seq);
    entry.row.count++;
  }

  rows(): Received[] {
    return [...this.#rows.values()].map((entry) => entry.row);
  }
}
