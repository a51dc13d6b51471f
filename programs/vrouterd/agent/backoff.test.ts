import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff, LASTING_MS } from './backoff.ts';

/** The longest of many waits after `failures` failures. */
function longest(failures: number, capMs?: number): number {
  let most = 0;
  for (let round = 0; round < 500; round++) {
    const backoff = new Backoff(1000, 15_000);
    for (let i = 1; i < failures; i++) backoff.failed(0);
    most = Math.max(most, backoff.failed(0, capMs));
  }
  return most;
}

test('waits double up to the cap, and spread over all of it', () => {
  // Of 500 draws the longest is above 90 % of the limit but for one time in 10^22.
  for (const [failures, capMs, limit] of [
    [1, undefined, 1000],
    [3, undefined, 4000],
    [100, undefined, 15_000],
    [2000, undefined, 15_000],
    [3, 60_000, 4000],
    [100, 60_000, 60_000],
  ] as const) {
    const most = longest(failures, capMs);
    assert.ok(most <= limit && most > 0.9 * limit, `${failures} failures: ${most} of ${limit} ms`);
  }
});

test('a success that has lasted begins anew, a short one does not', () => {
  let most = 0;
  for (let round = 0; round < 500; round++) {
    const backoff = new Backoff(1000, 15_000);
    for (let i = 0; i < 20; i++) backoff.failed(i);
    backoff.succeeded(1000);
    backoff.succeeded(1000 + LASTING_MS - 1);
    most = Math.max(most, backoff.failed(1000 + LASTING_MS - 1));
    backoff.succeeded(50_000);
    backoff.succeeded(60_000);
    assert.ok(backoff.failed(50_000 + LASTING_MS) <= 1000);
  }
  assert.ok(most > 10_000, `after a short success the waits are as long as before: ${most}`);
});

test('reset begins anew at once', () => {
  const backoff = new Backoff(1000, 15_000);
  for (let i = 0; i < 20; i++) backoff.failed(0);
  backoff.reset();
  assert.ok(backoff.failed(0) <= 1000);
});
