import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { sha256Hex } from '../ca/keys.ts';
import { newTokenText, parseBearer, parseTokenText, secretMatches } from './token.ts';

const secret = 'A'.repeat(43);

test('a new token has 256 random bits, and only their hash is to be kept', () => {
  const made = Array.from({ length: 200 }, () => newTokenText('vra'));
  assert.equal(new Set(made.map(({ text }) => text)).size, 200);
  for (const { id, text, secretHash } of made) {
    assert.match(text, /^vra_[a-z0-9]{8}_[A-Za-z0-9_-]{43}$/);
    const parts = parseTokenText('vra', text);
    assert.equal(parts?.id, id);
    assert.equal(Buffer.from(parts.secret, 'base64url').length, 32);
    assert.equal(secretHash, sha256Hex(parts.secret));
    assert.ok(secretMatches(parts.secret, secretHash));
  }
});

for (const [name, header, expected] of [
  ['nothing', undefined, 'missing'],
  ['an empty header', '', 'missing'],
  ['a token', `Bearer vra_abcdefgh_${secret}`, 'abcdefgh'],
  ['another spelling of the scheme', `bEARER   vra_abcdefgh_${secret} `, 'abcdefgh'],
  ['another scheme', `Basic vra_abcdefgh_${secret}`, null],
  ['no scheme', `vra_abcdefgh_${secret}`, null],
  ['no token', 'Bearer ', null],
  ['two tokens', `Bearer vra_abcdefgh_${secret} vra_abcdefgh_${secret}`, null],
  ['a join token', `Bearer vrj_abcdefgh_${secret}`, null],
  ['a secret that is too short', `Bearer vra_abcdefgh_${secret.slice(1)}`, null],
  ['a secret that is too long', `Bearer vra_abcdefgh_${secret}A`, null],
  ['a secret in plain base64', `Bearer vra_abcdefgh_${'+'.repeat(43)}`, null],
  ['an id in capitals', `Bearer vra_ABCDEFGH_${secret}`, null],
  ['an id that goes for SQL', `Bearer vra_' or 1=1_${secret}`, null],
  ['a line end behind it', `Bearer vra_abcdefgh_${secret}\n`, null],
] as const)
  test(`the Authorization header with ${name}`, () => {
    const read = parseBearer(header);
    assert.equal(read === null || read === 'missing' ? read : read.id, expected);
  });

test('secrets are compared in constant time, by hashes of one length, also when there is no such token', (t) => {
  const compare = t.mock.method(crypto, 'timingSafeEqual');
  syncBuiltinESMExports();
  try {
    assert.equal(secretMatches(secret, sha256Hex(secret)), true);
    assert.equal(secretMatches(secret, sha256Hex('other')), false);
    assert.equal(secretMatches(secret, null), false);
    assert.equal(secretMatches('', null), false, 'nor is the hash that stands in for one a way in');
  } finally {
    compare.mock.restore();
    syncBuiltinESMExports();
  }
  const sizes = compare.mock.calls.map(({ arguments: [a, b] }) => [a.byteLength, b.byteLength]);
  assert.deepEqual(sizes, Array(4).fill([32, 32]));
});
