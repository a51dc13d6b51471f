import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseInterfaceName, parseName } from './names.ts';

test('interface names', () => {
  for (const name of ['wg0', 'a', 'wg-home_1.2=+', '0', '-x', '...', 'x'.repeat(15)])
    assert.deepEqual(parseInterfaceName(name), { ok: true, value: name });
  for (const name of [
    '',
    '.',
    '..',
    'x'.repeat(16),
    'a b',
    'a/b',
    'wg0\n',
    '\nwg0',
    'wg%d',
    'ä',
    'a:b',
    'a;b',
    '$(x)',
    'a\0',
  ]) {
    const parsed = parseInterfaceName(name, 'interface');
    assert.ok(!parsed.ok, JSON.stringify(name));
    assert.deepEqual([parsed.error.code, parsed.error.field], ['name.invalid', 'interface']);
  }
});

test('names of things', () => {
  for (const name of ['a', '0', 'berlin-1', 'a.b_c-d', 'A'.repeat(63)])
    assert.deepEqual(parseName(name), { ok: true, value: name });
  for (const name of [
    '',
    '.',
    '..',
    '-a',
    '_a',
    '.a',
    'a'.repeat(64),
    'a/b',
    'a b',
    'a\n',
    'ß',
    'a+b',
    '../x',
    'a%2fb',
  ]) {
    const parsed = parseName(name, 'name');
    assert.ok(!parsed.ok, JSON.stringify(name));
    assert.deepEqual([parsed.error.code, parsed.error.field], ['name.invalid', 'name']);
  }
});

test('an accepted name is itself in a path and a URL', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9_.+=-]{1,20}$/)), (text) => {
      if (parseName(text).ok) {
        assert.equal(encodeURIComponent(text), text);
        assert.equal(new URL(`http://x/${text}/y`).pathname, `/${text}/y`);
      }
      if (parseInterfaceName(text).ok) assert.match(text, /^[^/\s\0]{1,15}$/);
    }),
    { numRuns: 500 },
  );
});
