/** The replay window by sequences of counters, against a set of all that were seen. Two bytes are a step from the counter before. */
import { ReplayWindow } from './replay.ts';

export const name = 'protocols/replay';

/** Counters that the window still knows, RFC 6479 with 8192 bits. */
const WINDOW = 8128n;
const TOP = 2n ** 64n - 1n;
const starts = [0n, 31n, 2n ** 32n - 5n, 2n ** 53n, TOP - 40_000n];

export const seeds: readonly Uint8Array[] = [
  [0, 1, 0, 1, 0, 1, 255, 255, 0, 1],
  [2, 0, 10, 0, 10, 0, 246, 1, 32, 0, 224, 1],
  [4, 127, 255, 127, 255, 128, 1, 128, 1, 31, 192],
].map((bytes) => Uint8Array.from(bytes));

export function fuzzOne(bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  const window = new ReplayWindow();
  const seen = new Set<bigint>();
  let counter = starts[bytes[0]! % starts.length]!;
  let top = 0n;
  for (let at = 1; at + 1 < Math.min(bytes.length, 1000); at += 2) {
    counter += BigInt((((bytes[at]! << 8) | bytes[at + 1]!) << 16) >> 16);
    if (counter < 0n) counter = 0n;
    if (counter > TOP) counter = TOP;
    const fine = !seen.has(counter) && counter + WINDOW >= top;
    const said = window.accept(Number(counter & 0xffff_ffffn), Number(counter >> 32n));
    if (said !== fine) throw new Error(`${counter} with ${top} on top: ${said}`);
    if (!fine) continue;
    seen.add(counter);
    if (counter > top) top = counter;
  }
}
