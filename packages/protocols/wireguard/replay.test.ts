import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReplayWindow } from './replay.ts';

const WINDOW = 8128;
const accept = (window: ReplayWindow, counter: bigint): boolean =>
  window.accept(Number(counter & 0xffff_ffffn), Number(counter >> 32n));

test('each counter once, in any order within the window', () => {
  const window = new ReplayWindow();
  for (const [counter, fine] of [
    [0, true],
    [0, false],
    [1, true],
    [9, true],
    [8, true],
    [7, true],
    [7, false],
    [WINDOW, true],
    [2, true],
    [2, false],
    [1, false],
    [WINDOW + 3, true],
    [3, true],
    [2, false],
    [100_000, true],
    [100_000 - WINDOW, true],
    [100_000 - WINDOW - 1, false],
    [99_999, true],
  ] as const)
    assert.equal(window.accept(counter, 0), fine, String(counter));
});

test('the first may be any', () => {
  for (const first of [0n, 1n, 31n, 32n, 0xffff_ffffn, 1n << 32n, (1n << 64n) - 8194n]) {
    const window = new ReplayWindow();
    assert.equal(accept(window, first), true, String(first));
    assert.equal(accept(window, first), false, String(first));
  }
});

test('like a set of everything seen, also across the halves and near the end', () => {
  const near = fc.integer({ min: -9000, max: 9000 });
  const base = fc.constantFrom(20_000n, 1n << 32n, (1n << 53n) + 1n, (1n << 61n) + 5n, (1n << 64n) - 20_000n);
  fc.assert(
    fc.property(
      base,
      fc.array(fc.oneof(near, fc.integer({ min: -40, max: 40 })), { maxLength: 80 }),
      (start, steps) => {
        const window = new ReplayWindow();
        const seen = new Set<bigint>();
        let top = 0n;
        for (const step of steps) {
          const counter = start + BigInt(step);
          const fine = !seen.has(counter) && counter + BigInt(WINDOW) >= top;
          assert.equal(accept(window, counter), fine, `${counter} after ${[...seen]}`);
          if (!fine) continue;
          seen.add(counter);
          if (counter > top) top = counter;
        }
      },
    ),
    { seed: 6479, numRuns: 300 },
  );
});
