import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LASTING_MS } from './backoff.ts';
import { Breaker, CAP_MS } from './breaker.ts';

test('one lost answer does not open it, two in a row do', () => {
  const breaker = new Breaker();
  breaker.failed(0, { isAway: false });
  assert.equal(breaker.circuit(0), 'closed');
  breaker.succeeded(1);
  breaker.failed(2, { isAway: false });
  assert.equal(breaker.circuit(2), 'closed', 'the success in between counts');
  breaker.failed(3, { isAway: false });
  assert.notEqual(breaker.circuit(3), 'closed');
});

test('who does not take the connection is left alone at once', () => {
  const breaker = new Breaker();
  breaker.failed(0, { isAway: true });
  assert.notEqual(breaker.circuit(0), 'closed');
});

test('after the wait one try is made: it closes, or opens for longer', () => {
  const breaker = new Breaker();
  let [at, longest] = [0, 0];
  for (let n = 0; n < 200; n++) {
    breaker.failed(at, { isAway: true });
    const ready = breaker.readyAtMs(at);
    longest = Math.max(longest, ready - at);
    assert.equal(breaker.circuit(ready), 'halfOpen');
    if (ready - 1 > at) assert.equal(breaker.circuit(ready - 1), 'open');
    at = ready;
  }
  assert.ok(longest > 0.8 * CAP_MS && longest <= CAP_MS, String(longest));
  breaker.succeeded(at);
  assert.equal(breaker.circuit(at), 'closed');
});

test('a short success does not make the waits short again, one of 30 s does', () => {
  for (const [lasted, limit] of [
    [LASTING_MS - 1, CAP_MS],
    [LASTING_MS, 1000],
  ] as const) {
    let longest = 0;
    for (let round = 0; round < 300; round++) {
      const breaker = new Breaker();
      for (let n = 0; n < 20; n++) breaker.failed(0, { isAway: true });
      breaker.succeeded(100);
      breaker.failed(100 + lasted, { isAway: true });
      longest = Math.max(longest, breaker.readyAtMs(100 + lasted) - 100 - lasted);
    }
    assert.ok(longest <= limit && longest > 0.9 * limit, `${lasted}: ${longest}`);
  }
});

test('who says how long is waited for that long, and not longer when it lasts', () => {
  const breaker = new Breaker();
  breaker.failed(0, { isAway: true, waitMs: 300_000 });
  assert.equal(breaker.readyAtMs(0), 300_000);
  breaker.hurry();
  assert.equal(breaker.circuit(1), 'halfOpen', 'a person need not wait');
});
