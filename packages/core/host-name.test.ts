import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseHostName } from './host-name.ts';

const long = 'a'.repeat(63);

const good: readonly (readonly [said: string, name: string])[] = [
  ['web', 'web'],
  ['WEB.Blue', 'web.blue'],
  ['web.', 'web'],
  ['my_app_1', 'my_app_1'],
  ['_dns-sd._udp', '_dns-sd._udp'],
  ['0123456789ab', '0123456789ab'],
  ['123456789012', '123456789012'],
  ['1.2.3', '1.2.3'],
  ['10.0.0.1.lan', '10.0.0.1.lan'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['a', 'a'],
  [long, long],
  [`${long}.${long}.${long}.${'b'.repeat(61)}`, `${long}.${long}.${long}.${'b'.repeat(61)}`],
  [`${long}.${long}.${long}.${'b'.repeat(61)}.`, `${long}.${long}.${long}.${'b'.repeat(61)}`],
];

const bad: readonly string[] = [
  // Acceptance 22, and what the older router's names were good for.
  ...['a\nb', 'a\n', '\na', 'a,b', 'a b', ' a', 'a ', 'a=b', 'a#b', '#', 'a..b', '.a', 'a..', '.', '..', ''],
  ...[`${long}a`, `x.${long}a`, `${long}.${long}.${long}.${'b'.repeat(62)}`, 'a.'.repeat(128), 'a'.repeat(100_000)],
  ...[
    'a\nlog-facility=/etc/passwd',
    'web\r',
    'a\0b',
    'a\tb',
    '*',
    '*.lan',
    'a/b',
    'a\\b',
    '"a"',
    "a'b",
    'a;b',
    '$(id)',
    '`a`',
  ],
  ...['-a', 'a-', 'a.-b', 'a-.b', '-', 'a@b', 'a:1', '[::1]', '::1', '10.0.0.1', '255.255.255.255', '10.0.0.1.'],
  ...['ä', 'bücher.example', '\ufb00', '\u212a', '\u0130', '\u2028', 'a\u0000', '\ud800', '１', 'a\u200db'],
];

for (const [said, name] of good)
  test(`${said.slice(0, 40)} is a host name`, () => assert.deepEqual(parseHostName(said), { ok: true, value: name }));

for (const said of bad)
  test(`${JSON.stringify(said).slice(0, 40)} is none`, () => {
    const parsed = parseHostName(said, 'hosts');
    assert.ok(!parsed.ok);
    assert.equal(parsed.error.code, 'name.invalid');
    assert.equal(parsed.error.field, 'hosts');
    assert.match(parsed.error.message, /^[ -~]{1,500}$/, 'the message has no line end in it and is short');
  });

test('what is a name is one in its own form too, and of nothing but its letters', () => {
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
