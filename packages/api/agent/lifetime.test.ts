import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lifeUsed, stateOfCertificate } from './lifetime.ts';

const times = { notBeforeUnixMs: 1000, notAfterUnixMs: 11_000 };

for (const [nowUnixMs, state] of [
  [0, 'good'],
  [7999, 'good'],
  [8000, 'late'],
  [9499, 'late'],
  [9500, 'critical'],
  [10_999, 'critical'],
  [11_000, 'ended'],
  [99_000, 'ended'],
] as const)
  test(`at ${nowUnixMs} a certificate from 1000 to 11000 is ${state}`, () =>
    assert.equal(stateOfCertificate(times, nowUnixMs), state));

test('the used share is below 0 before the begin and above 1 after the end, and a life of nothing is over', () => {
  assert.deepEqual(
    [0, 6000, 21_000].map((now) => lifeUsed(times, now)),
    [-0.1, 0.5, 2],
  );
  assert.equal(stateOfCertificate({ notBeforeUnixMs: 5, notAfterUnixMs: 5 }, 6), 'ended');
});
