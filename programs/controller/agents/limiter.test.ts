import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Limiter } from './limiter.ts';

test('a burst, then one at a time', () => {
  let now = 1000;
  const limiter = new Limiter(3, 10_000, () => now);
  for (let i = 0; i < 3; i++) {
    assert.equal(limiter.waitMs('a'), 0);
    limiter.take('a');
  }
  assert.equal(limiter.waitMs('a'), 10_000);
  assert.equal(limiter.waitMs('b'), 0, 'others are not held up');
  now += 4000;
  assert.equal(limiter.waitMs('a'), 6000);
  now += 6000;
  assert.equal(limiter.waitMs('a'), 0);
  limiter.take('a');
  assert.ok(limiter.waitMs('a') > 0);
  now += 1_000_000;
  for (let i = 0; i < 3; i++) limiter.take('a');
  assert.ok(limiter.waitMs('a') > 0, 'never more than the burst is saved up');
});

test('a clock that goes back neither refills nor locks for ever', () => {
  let now = 1_000_000;
  const limiter = new Limiter(1, 1000, () => now);
  limiter.take('a');
  now = 0;
  assert.equal(limiter.waitMs('a'), 1000);
});

test('many names do not make it grow without end', () => {
  const limiter = new Limiter(2, 1000, () => 0);
  limiter.take('first');
  limiter.take('first');
  for (let i = 0; i < 25_000; i++) limiter.take(`n${i}`);
  limiter.take('n24999');
  assert.ok(limiter.waitMs('n24999') > 0, 'the latest are kept');
});
