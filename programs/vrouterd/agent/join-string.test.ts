import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJoinString } from './join-string.ts';

const fingerprint = 'ab'.repeat(32);
const token = `vrj_aB3dE5gH_${'x'.repeat(43)}`;

test('a join string gives the controller, the token and the fingerprint', () => {
  const parsed = parseJoinString(` https://router.example:8443/#${token}~${fingerprint}\n`);
  assert.deepEqual(parsed, {
    ok: true,
    value: { controllerUrl: 'https://router.example:8443', token, rootFingerprint: fingerprint },
  });
});

for (const [name, text] of [
  ['no URL', 'hello'],
  ['plain http', `http://h:8443/#${token}~${fingerprint}`],
  ['no fragment', 'https://h:8443/'],
  ['no fingerprint', `https://h:8443/#${token}`],
  ['short fingerprint', `https://h:8443/#${token}~abcd`],
  ['upper-case fingerprint', `https://h:8443/#${token}~${fingerprint.toUpperCase()}`],
  ['another kind of token', `https://h:8443/#abc~${fingerprint}`],
] as const)
  test(`refused without repeating the token: ${name}`, () => {
    const parsed = parseJoinString(text);
    assert.equal(parsed.ok, false);
    if (parsed.ok) return;
    assert.equal(parsed.error.code, 'join.malformed');
    assert.ok(!parsed.error.message.includes(token));
  });
