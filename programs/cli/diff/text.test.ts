import assert from 'node:assert/strict';
import test from 'node:test';
import { changeLines, coloured } from './text.ts';

test('what a server says cannot steer the terminal', () => {
  const lines = changeLines({ key: 'peer/\u001b[2J', op: 'add', before: null, after: { kind: 'peer', name: 'a\nb' } });
  assert.deepEqual(lines, ['+ peer/?[2J', '+   name: a?b']);
});

test('a field is said where it is other, a list by its items', () => {
  const before = {
    kind: 'peer',
    name: 'p',
    allowedIps: ['a', 'b'],
    presharedKey: { fingerprint: '12' },
    endpoint: null,
  };
  const after = { kind: 'peer', name: 'p', allowedIps: ['b', 'c'], presharedKey: null, endpoint: null };
  assert.deepEqual(changeLines({ key: 'peer/p', op: 'change', before, after }), [
    '~ peer/p',
    '-   allowedIps: a',
    '+   allowedIps: c',
    '-   presharedKey: secret(12)',
    '+   presharedKey: none',
  ]);
  const turned = { ...before, allowedIps: ['b', 'a'] };
  assert.deepEqual(changeLines({ key: 'peer/p', op: 'change', before, after: turned }).slice(1), [
    '-   allowedIps: a, b',
    '+   allowedIps: b, a',
  ]);
});

test('lines have the colour of their sign', () => {
  const lines = ['+ x', '- x', '~ x', 'x'].map(coloured);
  assert.deepEqual(lines, ['\u001b[32m+ x\u001b[0m', '\u001b[31m- x\u001b[0m', '\u001b[36m~ x\u001b[0m', 'x']);
});
