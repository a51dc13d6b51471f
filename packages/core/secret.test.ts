import assert from 'node:assert/strict';
import test from 'node:test';
import { inspect } from 'node:util';
import { canonicalJson } from './json.ts';
import { Secret } from './secret.ts';

const value = new Uint8Array(Buffer.from('do not print me, I am a key'));
const secret = new Secret(value, '0123456789abcdef');

test('whatever prints it shows the fingerprint alone', () => {
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    canonicalJson({ secret }),
    inspect(secret, { depth: 9, showHidden: true }),
    inspect([{ secret }]),
    Object.values({ ...secret }).join(),
  ];
  const bytes = [...value].join();
  for (const text of shown) {
    assert.match(text, /01234567/);
    assert.ok(
      !text.includes('do not print') && !text.includes(bytes) && !text.includes(bytes.replaceAll(',', ', ')),
      text,
    );
  }
});

test('who asks for the bytes gets them', () => {
  assert.equal(secret.reveal(), value);
});

test('an error that carries it does not tell it', () => {
  const error = new Error('failed', { cause: secret });
  assert.ok(!inspect(error).includes('100, 111, 32'));
});
