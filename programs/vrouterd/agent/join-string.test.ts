import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJoinString } from './join-string.ts';

const fingerprint = 'ab'.repeat(32);
const token = `vrj_aB3dE5gH_${'x'.repeat(43)}`;

test('a join string gives the controller, the token and the fingerprint', () => {
  const parsed = parseJoinString(` https://router.example:8443/#${token}~${fingerprint}\n`);
  assert.deepEqual(parsed, {
    ok: true,
    value: { controllerUrls: ['https://router.example:8443'], token, rootFingerprint: fingerprint },
  });
});

test('a join string names several controllers, each once', () => {
  const parsed = parseJoinString(
    `https://a.example:8443/?also=b.example:8443,[2001:db8::1]:9443,A.example:8443#${token}~${fingerprint}`,
  );
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.controllerUrls, [
    'https://a.example:8443',
    'https://b.example:8443',
    'https://[2001:db8::1]:9443',
  ]);
});

for (const [name, text] of [
  ['no URL', 'hello'],
  ['plain http', `http://h:8443/#${token}~${fingerprint}`],
  ['no fragment', 'https://h:8443/'],
  ['no fingerprint', `https://h:8443/#${token}`],
  ['short fingerprint', `https://h:8443/#${token}~abcd`],
  ['upper-case fingerprint', `https://h:8443/#${token}~${fingerprint.toUpperCase()}`],
  ['another controller with a path', `https://h:8443/?also=i:8443/x#${token}~${fingerprint}`],
  ['another controller that is no host', `https://h:8443/?also=i:port#${token}~${fingerprint}`],
  [
    'too many controllers',
    `https://h:8443/?also=${Array.from({ length: 16 }, (_, i) => `h${i}:1`)}#${token}~${fingerprint}`,
  ],
  ['another kind of token', `https://h:8443/#abc~${fingerprint}`],
] as const)
  test(`refused without repeating the token: ${name}`, () => {
    const parsed = parseJoinString(text);
    assert.equal(parsed.ok, false);
    if (parsed.ok) return;
    assert.equal(parsed.error.code, 'join.malformed');
    assert.ok(!parsed.error.message.includes(token));
  });
