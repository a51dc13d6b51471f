/** Whatever happens to a pair, afterwards it talks. Thousands of seeds: `npm run soak -- wireguard-storm`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storm } from './storm.testing.ts';

const SEEDS = 100;
const PER_TEST = 25;

const troubles: { [kind: string]: number } = {};
let longest = 0;

for (let first = 1; first <= SEEDS; first += PER_TEST) {
  test(`storms ${first} to ${first + PER_TEST - 1}: every pair converges`, () => {
    for (let seed = first; seed < first + PER_TEST; seed++) {
      try {
        const report = storm(seed);
        longest = Math.max(longest, report.recoveryMs);
        for (const [kind, times] of Object.entries(report.troubles)) troubles[kind] = (troubles[kind] ?? 0) + times;
      } catch (thrown) {
        throw new Error(`seed ${seed}`, { cause: thrown });
      }
    }
  });
}

test('the storms had every kind of trouble, and some left an end that had to find out by silence', () => {
  for (const kind of ['talk', 'pass', 'long', 'restart', 'sleep', 'weather', 'partition', 'strange'])
    assert.ok((troubles[kind] ?? 0) > SEEDS, `${kind}: ${troubles[kind]}`);
  assert.ok(longest > 5000, `the longest way back took ${longest} ms`);
});
