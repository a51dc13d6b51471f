import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDnsName, parseHostName } from './dns-name.ts';

for (const [text, name] of [
  ['web', 'web'],
  ['Web.Example.COM.', 'web.example.com'],
  ['my_app-1', 'my_app-1'],
  ['_sip._tcp', '_sip._tcp'],
  ['a', 'a'],
  ['4d2f', '4d2f'],
  ['0123456789ab', '0123456789ab'],
  ['123456789012', '123456789012'],
  ['10.0.0.1.lan', '10.0.0.1.lan'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
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
  '255.255.255.255.',
  '10.1',
  '4',
  '4294967295',
  'a'.repeat(100_000),
  'a.'.repeat(128),
  'web\r',
  'a\tb',
  '*.lan',
  'a\\b',
  '"a"',
  "a'b",
  'a;b',
  '$(id)',
  '`a`',
  'a.-b',
  'a-.b',
  'a@b',
  'a:1',
  '::1',
  '\ufb00',
  '\u212a',
  '\u2028',
  '\ud800',
  '\uff11',
  'a\u200db',
])
  test(`no host name: ${JSON.stringify(text.slice(0, 30))}`, () => {
    const parsed = parseHostName(text, 'name');
    assert.ok(!parsed.ok);
    assert.equal(parsed.error.code, 'name.invalid');
    assert.equal(parsed.error.field, 'name');
    assert.match(parsed.error.message, /^[ -~]{1,500}$/, 'no line end of it, and not all of it');
  });

test('a domain may be digits alone', () => {
  assert.ok(parseDnsName('10.in-addr.arpa').ok && parseDnsName('10').ok);
});

test('what is a name is one in its own form too, and consists of nothing but its letters', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'aZ9-_.\n ,=#\u212a\u0130') }),
    fc.string({ unit: 'binary' }),
    fc.domain(),
  );
  fc.assert(
    fc.property(text, (said) => {
      const parsed = parseHostName(said);
      if (!parsed.ok) return;
      assert.deepEqual(parseHostName(parsed.value), parsed);
      assert.match(parsed.value, /^[a-z0-9_.-]{1,253}$/);
      assert.equal(parsed.value, said.toLowerCase().replace(/\.$/, ''));
    }),
    { numRuns: 5000 },
  );
});
