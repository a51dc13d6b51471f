import assert from 'node:assert/strict';
import test from 'node:test';
import { parseHostPort } from './host-port.ts';

for (const [text, one] of [
  ['vpn.example.org', 'vpn.example.org:7'],
  ['vpn.example.org:51820', 'vpn.example.org:51820'],
  ['192.0.2.1', '192.0.2.1:7'],
  ['192.0.2.1:1', '192.0.2.1:1'],
  ['2001:db8::1', '[2001:db8::1]:7'],
  ['[2001:db8::1]', '[2001:db8::1]:7'],
  ['[2001:db8::1]:65535', '[2001:db8::1]:65535'],
  ['h:00080', 'h:80'],
] as const)
  test(`${text} is ${one}, and is so again`, () => {
    assert.deepEqual(parseHostPort(text, 7), { ok: true, value: one });
    assert.deepEqual(parseHostPort(one, 9), { ok: true, value: one });
  });

for (const text of [
  '',
  ':1',
  'h:',
  'h:0',
  'h:65536',
  '1.2.3',
  '1.2.3.4.5',
  '[vpn]:1',
  '-a',
  'a b',
  'fe80::1%eth0',
  '[::1',
])
  test(`refused: "${text}"`, () => {
    const parsed = parseHostPort(text, 7, 'endpoint');
    assert.ok(!parsed.ok);
    assert.deepEqual([parsed.error.code, parsed.error.field], ['address.invalid', 'endpoint']);
  });
