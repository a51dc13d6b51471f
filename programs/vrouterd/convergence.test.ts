import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Convergence } from './convergence.ts';

test('from the commit to the plane, once for each version, by the controller’s clock', () => {
  const convergence = new Convergence();
  convergence.begins(4, 1000);
  convergence.applied(3, 1500);
  convergence.applied(4, 1750);
  convergence.applied(4, 9000);
  assert.deepEqual(convergence.take(), [0.75]);
  assert.deepEqual(convergence.take(), []);
});

test('what is not said is not measured, and a clock that is a little behind makes no negative time', () => {
  const convergence = new Convergence();
  convergence.begins(4, null);
  convergence.applied(4, 1750);
  convergence.begins(5, 2000);
  convergence.applied(5, 1990);
  assert.deepEqual(convergence.take(), [0]);
});

test('without anybody who asks it does not grow without end', () => {
  const convergence = new Convergence();
  for (let version = 1; version <= 3000; version++) {
    convergence.begins(version, 0);
    convergence.applied(version, version);
  }
  const taken = convergence.take();
  assert.deepEqual([taken.length, taken.at(-1)], [1000, 3]);
});
