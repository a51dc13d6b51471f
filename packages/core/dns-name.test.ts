import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDnsName, parseHostName } from './dns-name.ts';

for (const [text, name] of [
  ['web', 'web'],
  ['Web.Example.COM.', 'web.example.com'],
  ['my_app-1', 'my_app-1'],
  ['_sip._tcp', '_sip._tcp'],
  ['a', 'a'],
  ['4d2f', '4d2f'],
  ['x'.repeat(63), 'x'.repeat(63)],
  [`${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.${'w'.repeat(61)}`, null],
] as const)
  test(`host name ${text.slice(0, 30)}`, () => {
    const parsed = parseHostName(text);
    assert.ok(parsed.ok);
    assert.equal(parsed.value, name ?? text);
  });

for (const text of [
  '',
  '.',
  '..',
  'a..b',
  '.a',
  'a..',
  '-a',
  'a-',
  'a b',
  'a\n',
  'a\nserver=1.2.3.4',
  'a,b',
  'a=b',
  'a#b',
  'a/b',
  '*',
  'é',
  'İ',
  'a\0',
  'x'.repeat(64),
  `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.${'w'.repeat(62)}`,
  '10.0.0.1',
  '4',
])
  test(`no host name: ${JSON.stringify(text.slice(0, 30))}`, () => {
    const parsed = parseHostName(text, 'name');
    assert.ok(!parsed.ok);
    assert.equal(parsed.error.code, 'name.invalid');
    assert.equal(parsed.error.field, 'name');
  });

test('a domain may be digits alone', () => {
  assert.ok(parseDnsName('10.in-addr.arpa').ok && parseDnsName('10').ok);
});
