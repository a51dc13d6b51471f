import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePayload, readPayload } from './payload.ts';

test('what was made is read', () => {
  for (const size of [0, 44, 45, 1200]) assert.deepEqual(readPayload(makePayload(7, 99, size)), { run: 7, seq: 99 });
});

test('any flipped bit is noticed', () => {
  const good = makePayload(7, 99, 100);
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bad = good.slice();
    bad[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(readPayload(bad), null, `bit ${bit}`);
  }
});

test('short packets are not ours', () => {
  assert.equal(readPayload(makePayload(1, 1, 44).subarray(0, 43)), null);
});
