import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { clockBackend, systemClock, wakeful } from './clock.ts';

test('it is the time since boot, suspends counted, as the kernel tells it elsewhere', {
  skip: clockBackend() !== 'boottime',
}, () => {
  const { now } = systemClock();
  // /proc/uptime is CLOCK_BOOTTIME too (fs/proc/uptime.c), in hundredths, rounded down.
  const before = now();
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  const after = now();
  assert.ok(before - 10 <= uptimeMs && uptimeMs <= after, `${before} ${uptimeMs} ${after}`);
});

test('it runs as fast as time does, and not back', async () => {
  const { now, unixMs } = systemClock();
  const began = now();
  const byNode = performance.now();
  let last = began;
  for (let i = 0; i < 10_000; i++) {
    const at = now();
    assert.ok(at >= last);
    last = at;
  }
  await sleep(50);
  const gone = now() - began;
  assert.ok(Math.abs(gone - (performance.now() - byNode)) < 25, String(gone));
  assert.ok(Math.abs(unixMs() - Date.now()) < 1000);
});

test('without it: a wall clock that leaps ahead moves the monotonic one, anything else does not', () => {
  let monotonic = 5000;
  let wall = 1_700_000_000_000;
  const now = wakeful(
    () => monotonic,
    () => wall,
  );
  const pass = (ms: number, wallMs: number): number => {
    monotonic += ms;
    wall += wallMs;
    return now();
  };
  assert.equal(now(), 5000);
  assert.equal(pass(100, 100), 5100);
  // Asleep for ten minutes.
  assert.equal(pass(0, 600_000), 605_100);
  assert.equal(pass(20, 20), 605_120);
  // Set back by an hour, mended step by step, and slewed.
  assert.equal(pass(10, -3_600_000), 605_130);
  assert.equal(pass(10, 3000), 605_140);
  for (let i = 0; i < 100; i++) pass(10, 500);
  assert.equal(now(), 606_140);
  assert.equal(pass(0, 10_000), 616_140);
});
