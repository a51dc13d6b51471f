import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '@vrouter/core/ip.ts';
import { millis } from '@vrouter/core/time.ts';
import { RateLimiter } from './rate-limiter.ts';

function ip(text: string): Uint8Array {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

test('five at once, then one every 50 ms, per source', () => {
  const limiter = new RateLimiter();
  const a = ip('192.0.2.1');
  for (const [at, fine] of [
    [0, true],
    [0, true],
    [0, true],
    [0, true],
    [0, true],
    [0, false],
    [49, false],
    [50, true],
    [50, false],
    [150, true],
    [150, true],
    [150, false],
    [10_000, true],
  ] as const)
    assert.equal(limiter.allow(a, millis(at)), fine, String(at));
  assert.equal(limiter.allow(ip('192.0.2.2'), millis(10_000)), true);
});

test('an IPv6 source is its /64', () => {
  const limiter = new RateLimiter();
  for (let i = 0; i < 5; i++) assert.equal(limiter.allow(ip(`2001:db8::${i}`), millis(0)), true);
  assert.equal(limiter.allow(ip('2001:db8::99'), millis(0)), false);
  assert.equal(limiter.allow(ip('2001:db8:0:1::99'), millis(0)), true);
  for (let i = 0; i < 9; i++) assert.equal(limiter.allow(ip(`::ffff:192.0.2.${i}`), millis(0)), true);
});

test('memory is bounded: newcomers wait while all are busy, and idle sources are forgotten', () => {
  const limiter = new RateLimiter(3);
  for (const i of [1, 2, 3]) assert.equal(limiter.allow(ip(`192.0.2.${i}`), millis(0)), true);
  assert.equal(limiter.allow(ip('192.0.2.4'), millis(100)), false);
  assert.equal(limiter.allow(ip('192.0.2.1'), millis(200)), true);
  assert.equal(limiter.allow(ip('192.0.2.4'), millis(260)), true);
  assert.equal(limiter.size, 2);
});
