import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '@vrouter/core/time.ts';
import { DESTINATION_BURST, DESTINATION_RATE, GLOBAL_BURST, GLOBAL_RATE, IcmpRateLimit } from './rate-limit.ts';

const taken = (count: number, take: () => boolean): number =>
  Array.from({ length: count }, take).filter(Boolean).length;
const address = (n: number): Uint8Array => Uint8Array.of(10, 0, n >>> 8, n & 0xff);

test('a destination gets its burst, then its rate, and no more after a long pause', () => {
  const limit = new IcmpRateLimit(1);
  const at = (ms: number): number => taken(1000, () => limit.takeFor(address(1), 0, 4, millis(ms)));
  assert.equal(at(5000), DESTINATION_BURST);
  assert.equal(at(5000), 0);
  assert.equal(at(5500), DESTINATION_RATE / 2);
  assert.equal(at(3_600_000), DESTINATION_BURST);
  assert.equal(at(3_599_000), 0, 'a clock that goes back gives nothing');
});

test('so do all together', () => {
  const limit = new IcmpRateLimit(1);
  assert.equal(
    taken(5000, () => limit.takeGlobal(millis(1000))),
    GLOBAL_BURST,
  );
  assert.equal(
    taken(5000, () => limit.takeGlobal(millis(1100))),
    GLOBAL_RATE / 10,
  );
});

test('who floods costs few others their errors, and another seed other ones', () => {
  const starved = (seed: number): number[] => {
    const limit = new IcmpRateLimit(seed);
    taken(100, () => limit.takeFor(address(0), 0, 4, millis(0)));
    return Array.from({ length: 4000 }, (_, n) => n + 1).filter((n) => !limit.takeFor(address(n), 0, 4, millis(0)));
  };
  assert.ok(starved(1).length < 20, String(starved(1)));
  assert.notDeepEqual(starved(1), starved(99));
});
