/** What the fuzzing worker and its watcher share: the input at hand, and a count that stands still when a parser does. */

export interface FuzzOrder {
  /** Of the fuzzer's file. */
  readonly path: string;
  readonly seed: number;
  /** When the turn ends, by the clock of the machine: what a worker takes to start is of its turn. */
  readonly endsAtUnixMs: number;
  readonly share: SharedArrayBuffer;
}

/** `input` and `error` when something was thrown. */
export interface FuzzOutcome {
  readonly rounds: number;
  readonly input?: Uint8Array;
  readonly error?: string;
}

/** Longest input of fuzzing.ts, bytes. */
const LONGEST = 65_536;
// Int32: count, length; then the bytes.
const HEAD = 8;

export function newShare(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD + LONGEST);
}

export function tellInput(share: SharedArrayBuffer, input: Uint8Array): void {
  const head = new Int32Array(share, 0, 2);
  head[1] = input.length;
  new Uint8Array(share, HEAD).set(input);
  Atomics.add(head, 0, 1);
}

/** How many inputs there were, and the last. */
export function toldInput(share: SharedArrayBuffer): { readonly count: number; readonly input: Uint8Array } {
  const head = new Int32Array(share, 0, 2);
  return { count: Atomics.load(head, 0), input: Uint8Array.from(new Uint8Array(share, HEAD, head[1])) };
}

/** How long the next turn may be, ms: its part of the time that is left for `waiting` parsers, `mostMs` at most. */
export function turnOf(leftMs: number, waiting: number, mostMs: number): number {
  return Math.max(0, Math.min(mostMs, leftMs / waiting));
}
