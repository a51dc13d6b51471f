import assert from 'node:assert/strict';
import test from 'node:test';
import { pairs, plain, table } from './table.ts';
import { bytesText, spanText, whenText } from './units.ts';

test('sizes', () => {
  for (const [count, text] of [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 KiB'],
    [1024, '1.0 KiB'],
    [1_258_291, '1.2 MiB'],
    [1024 * 1023, '1.0 MiB'],
    [1024 * 999, '999 KiB'],
    [310 * 1024 ** 3, '310 GiB'],
    [1024 ** 6, '1024 PiB'],
  ] as const)
    assert.equal(bytesText(count), text, String(count));
});

test('spans and moments', () => {
  for (const [ms, text] of [
    [-5, '0 s'],
    [499, '0 s'],
    [89_000, '89 s'],
    [90_000, '2 min'],
    [5_300_000, '88 min'],
    [5_400_000, '2 h'],
    [36 * 3_600_000, '2 d'],
  ] as const)
    assert.equal(spanText(ms), text, String(ms));
  assert.equal(whenText(null, 0), 'never');
  assert.equal(whenText(1000, 13_000), '12 s ago');
  assert.equal(whenText(13_000, 1000), 'in 12 s');
  // Two clocks that differ a little do not make the past the future.
  assert.equal(whenText(2000, 1000), '0 s ago');
});

test('a table: numbers to the right, words to the left, no spaces at the end', () => {
  const rows = [
    ['a', 5, '1.2 MiB', null],
    ['long name', 1234, '10 B', null],
  ] as const;
  assert.equal(
    table(['NAME', 'N', 'SIZE', 'X'], rows, 'none'),
    'NAME          N     SIZE  X\na             5  1.2 MiB  -\nlong name  1234     10 B  -',
  );
  assert.equal(table(['NAME'], [], 'there is nothing'), 'there is nothing');
});

test('pairs stand under each other', () => {
  assert.equal(
    pairs([
      ['a', 1],
      ['long', ''],
    ]),
    'a:    1\nlong: -',
  );
});

test('control and direction characters do not reach the terminal', () => {
  assert.equal(plain('a\u001b[2J\r\n\u009bm\u202eb\u2028'), 'a?[2J???m?b?');
  assert.equal(plain('Zürich, 東京 ✓'), 'Zürich, 東京 ✓');
});
