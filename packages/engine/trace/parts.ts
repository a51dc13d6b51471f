/**
 * Packets that change workers: each worker sees a part of the way, and whoever joins the parts (join.ts) puts them together by a number
 * that travels with the packet from ring to ring, with how many workers it has seen.
 */
import type { TraceRow } from '../control/trace-messages.ts';
import { WORKER_BITS } from '../workers/share.ts';

/** A row of one worker. `id` 0: the whole way. */
export interface TracePart extends TraceRow {
  readonly id: number;
  /** 0 for the worker where the packet came in. */
  readonly hop: number;
  /** It has been handed to another worker. */
  readonly more: boolean;
}

const HOP_BITS = 4;
const MAX_HOP = (1 << HOP_BITS) - 1;
const COUNT_BITS = 32 - HOP_BITS - WORKER_BITS;

/** Numbers for packets that leave this worker while somebody watches them: distinct among workers, and for a long time on each. */
export class TraceIds {
  readonly #base: number;
  #count: number;

  constructor(worker: number) {
    this.#base = worker << COUNT_BITS;
    this.#count = 0;
  }

  /** Never 0. */
  next(): number {
    this.#count = (this.#count + 1) & ((1 << COUNT_BITS) - 1);
    if (this.#count === 0) this.#count = 1;
    return this.#base | this.#count;
  }
}

/** What travels with a packet whose part `hop` ends; 0 (nobody watches) for one that has been everywhere often enough. */
export function packTrace(id: number, hop: number): number {
  return hop >= MAX_HOP ? 0 : (id << HOP_BITS) | (hop + 1);
}

export function idOfTrace(trace: number): number {
  return trace >>> HOP_BITS;
}

export function hopOfTrace(trace: number): number {
  return trace & MAX_HOP;
}
