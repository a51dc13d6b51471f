import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControllerClock, offsetText } from './clock.ts';

const YEAR_MS = 365 * 86_400_000;

test('before the first measurement our clock is the only one', () => {
  const clock = new ControllerClock(
    () => 1000,
    () => 50,
  );
  assert.deepEqual([clock.offsetMs, clock.unixMs(), clock.isOursWrong], [null, 1000, false]);
});

test('the median counts, so one slow answer changes nothing', () => {
  const clock = new ControllerClock(
    () => 1000,
    () => 50,
  );
  for (const offset of [10, 12, 30_000, 11, 9]) clock.measured(offset);
  assert.deepEqual([clock.offsetMs, clock.unixMs(), clock.isOursWrong], [11, 1011, false]);
});

test('a year off is wrong, and a clock that is set right is right at once', () => {
  const ours = { unixMs: 5 * YEAR_MS };
  const clock = new ControllerClock(
    () => ours.unixMs,
    () => 7,
  );
  for (let i = 0; i < 8; i++) clock.measured(-YEAR_MS + i);
  assert.equal(clock.isOursWrong, true);
  assert.ok(Math.abs(clock.unixMs() - 4 * YEAR_MS) < 10);
  ours.unixMs -= YEAR_MS;
  assert.ok(Math.abs(clock.unixMs() - 4 * YEAR_MS) < 10, 'setting ours is no time that passes');
  clock.measured(3);
  assert.deepEqual([clock.offsetMs, clock.isOursWrong], [3, false]);
});

for (const [offset, text] of [
  [-40_000, "40 s ahead of the controller's"],
  [3 * 3_600_000, "3 hours behind the controller's"],
  [-366 * 86_400_000, "366 days ahead of the controller's"],
] as const)
  test(`${offset} ms is ${text}`, () => assert.equal(offsetText(offset), text));
