/** For tests of sockets: rows to fill, and a box that gathers what comes. */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import { type DatagramRows, makeRegion, type UdpSocket } from './shape.ts';

export function makeRows(capacity: number): DatagramRows {
  return {
    capacity,
    count: 0,
    region: [],
    offset: new Int32Array(capacity),
    length: new Int32Array(capacity),
    endpoint: [],
  };
}

/** Rows that hold the payloads in one region, row i with `gap(i)` bytes before it. */
export function rowsOf(
  payloads: readonly Uint8Array[],
  to: Endpoint,
  gap: (row: number) => number = () => 13,
): DatagramRows {
  const rows = makeRows(payloads.length);
  const region = makeRegion(payloads.reduce((sum, payload, row) => sum + payload.length + gap(row), 0));
  let at = 0;
  for (const payload of payloads) {
    at += gap(rows.count);
    region.bytes.set(payload, at);
    rows.region.push(region);
    rows.offset[rows.count] = at;
    rows.length[rows.count] = payload.length;
    rows.endpoint.push(to);
    rows.count++;
    at += payload.length;
  }
  return rows;
}

/** `length` bytes that tell `seed` apart from its neighbours. */
export function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (seed * 31 + (seed >>> 8) * 7 + i * 5) & 0xff);
}

export interface Arrival {
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
}

/** Drains the socket whenever it is readable, one `receive` per callback, so that a callback that never comes shows. */
export class Inbox {
  readonly arrivals: Arrival[] = [];
  callbacks = 0;
  readonly rows: DatagramRows;
  #waiting: (() => void) | null = null;

  constructor(socket: UdpSocket, capacity = 64) {
    this.rows = makeRows(capacity);
    socket.onReadable(() => {
      this.callbacks++;
      const count = socket.receive(this.rows);
      for (let i = 0; i < count; i++) {
        const at = this.rows.offset[i]!;
        const bytes = this.rows.region[i]!.bytes.slice(at, at + this.rows.length[i]!);
        this.arrivals.push({ bytes, from: this.rows.endpoint[i]! });
      }
      this.#waiting?.();
    });
  }

  /** Resolves when `count` have come in all; rejects after five seconds. */
  until(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.arrivals.length} of ${count} came`)), 5000);
      this.#waiting = () => {
        if (this.arrivals.length < count) return;
        clearTimeout(timer);
        resolve();
      };
      this.#waiting();
    });
  }
}
