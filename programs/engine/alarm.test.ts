import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { millis } from '@vrouter/core/time.ts';
import { Alarm } from './alarm.ts';

const now = () => millis(performance.now());
const soon = (ms: number) => millis(now() + ms);

test('it rings once, not before its time, and the last wish holds', async () => {
  const rings: number[] = [];
  const alarm = new Alarm(() => rings.push(performance.now()), now);
  alarm.set(soon(1));
  const at = soon(30);
  alarm.set(at);
  await sleep(80);
  assert.equal(rings.length, 1);
  assert.ok(rings[0]! >= at - 1, `${rings[0]} is before ${at}`);
});

test('what is past rings at once, what is cancelled never, and far away is no overflow', async () => {
  let rings = 0;
  const alarm = new Alarm(() => rings++, now);
  alarm.set(soon(-1000));
  await sleep(20);
  assert.equal(rings, 1);
  alarm.set(soon(10));
  alarm.cancel();
  // setTimeout would ring at once for this.
  alarm.set(soon(2 ** 33));
  await sleep(40);
  assert.equal(rings, 1);
  alarm.set(millis(Number.POSITIVE_INFINITY));
  await sleep(20);
  assert.equal(rings, 1);
  alarm.cancel();
});
