import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMac, parseMac } from './mac.ts';

test('text to bytes and back', () => {
  const station = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => {
    bytes[0] = (bytes[0]! & 0xfe) | 2;
    return bytes;
  });
  fc.assert(
    fc.property(station, (bytes) => {
      assert.deepEqual(parseMac(formatMac(bytes)), { ok: true, value: bytes });
    }),
  );
  assert.deepEqual(parseMac('02-00-5E-10-00-01'), parseMac('02:00:5e:10:00:01'));
});

for (const [text, why] of [
  ['', 'nothing'],
  ['02:00:5e:10:00', 'five bytes'],
  ['02:00:5e:10:00:01:02', 'seven'],
  ['2:0:5e:10:0:1', 'short bytes'],
  ['02:00:5e:10:00:0g', 'no digit'],
  ['ff:ff:ff:ff:ff:ff', 'everybody'],
  ['01:00:5e:00:00:01', 'a group'],
  ['00:00:00:00:00:00', 'nobody'],
])
  test(`refused: ${why}`, () => {
    const parsed = parseMac(text!, 'mac');
    assert.ok(!parsed.ok);
    assert.deepEqual([parsed.error.code, parsed.error.field], ['address.invalid', 'mac']);
  });
