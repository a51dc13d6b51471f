/** A short form of `npm run fuzz`, the same on every machine: each parser meets 2,000 inputs of a fixed seed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { turnOf } from './fuzz-share.ts';
import { type Fuzzer, fuzz, loadFuzzers } from './fuzzing.ts';

const ROUNDS = 2000;

for (const fuzzer of await loadFuzzers()) {
  test(`${fuzzer.name} survives ${ROUNDS} inputs`, () => {
    for (const seed of fuzzer.seeds ?? []) fuzzer.fuzzOne(Uint8Array.from(seed));
    const outcome = fuzz(fuzzer, 1, (round) => round < ROUNDS);
    if ('input' in outcome)
      assert.fail(
        `round ${outcome.round}: ${String(outcome.error)}, input ${Buffer.from(outcome.input).toString('hex')}`,
      );
    assert.equal(outcome.rounds, ROUNDS);
  });
}

test('time is shared among all that wait, none is left out', () => {
  for (const seconds of [1, 30, 60, 600]) {
    let leftMs = seconds * 1000;
    const turns: number[] = [];
    for (let i = 0; i < 25; i++) {
      turns.push(turnOf(leftMs, 25 - i, 2000));
      leftMs -= turns[i]!;
    }
    assert.ok(Math.min(...turns) >= Math.min(2000, seconds * 40) - 1e-6, `${seconds} s: ${turns}`);
    assert.ok(leftMs >= -1e-6);
  }
  assert.equal(turnOf(-5, 3, 2000), 0);
});

test('a bug is found from noise and from a seed, and found again', () => {
  const noisy: Fuzzer = {
    name: 'noisy',
    fuzzOne(bytes) {
      if (bytes[0] === 0x42) throw new Error('found');
    },
  };
  const deep: Fuzzer = {
    name: 'deep',
    seeds: [Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8])],
    fuzzOne(bytes) {
      // Noise has one chance in 2^40 for this; a mutation of the seed has many.
      if ([1, 2, 3, 4, 5].every((value, i) => bytes[i] === value) && bytes[5]! > 0x7f) throw new Error('found');
    },
  };
  for (const fuzzer of [noisy, deep]) {
    const first = fuzz(fuzzer, 7, (round) => round < 5000);
    assert.ok('input' in first, fuzzer.name);
    assert.deepEqual(
      fuzz(fuzzer, 7, (round) => round < 5000),
      first,
    );
    assert.throws(() => fuzzer.fuzzOne(first.input), /found/);
  }
});
