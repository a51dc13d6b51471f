import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { asciiBytes, concatBytes, equalConstantTime, formatKey, parseKey } from './bytes.ts';

test('equalConstantTime is equality', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), fc.nat(), (a, b, at) => {
      assert.equal(equalConstantTime(a, b), Buffer.compare(a, b) === 0);
      assert.ok(equalConstantTime(a, a.slice()));
      if (a.length > 0) assert.ok(!equalConstantTime(a, a.with(at % a.length, a[at % a.length]! ^ 0x80)));
    }),
  );
  assert.ok(!equalConstantTime(new Uint8Array(1), new Uint8Array(2)));
});

test('concatBytes joins in order into memory of its own', () => {
  assert.deepEqual(concatBytes(), new Uint8Array());
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (parts) => {
      assert.deepEqual(concatBytes(...parts), new Uint8Array(Buffer.concat(parts)));
    }),
  );
  const part = Uint8Array.of(1);
  concatBytes(part)[0] = 2;
  assert.equal(part[0], 1);
});

test('asciiBytes takes ASCII alone', () => {
  assert.deepEqual([...asciiBytes('mac1----')], [109, 97, 99, 49, 45, 45, 45, 45]);
  assert.deepEqual([...asciiBytes('\0\x7f')], [0, 127]);
  for (const text of ['é', 'a\u0080', '€', '😀']) assert.throws(() => asciiBytes(text), RangeError);
});

test('a key is what wg(8) prints', () => {
  const text = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
  const parsed = parseKey(text);
  assert.ok(parsed.ok);
  assert.equal(parsed.value.length, 32);
  assert.deepEqual([...parsed.value.subarray(0, 3)], [0xc5, 0x32, 0x01]);
  assert.equal(formatKey(parsed.value), text);
  assert.deepEqual(parsed.value, new Uint8Array(Buffer.from(text, 'base64')));
});

for (const [why, text] of [
  ['empty', ''],
  ['31 bytes', Buffer.alloc(31, 7).toString('base64')],
  ['33 bytes', Buffer.alloc(33, 7).toString('base64')],
  ['no padding', 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg'],
  // The last character has two bits that belong to no byte: only one spelling of a key is taken.
  ['not canonical', 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dh='],
  ['base64url', '-_IBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='],
  ['a space before', ' xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='],
  ['a line end behind', 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n'],
  ['hex', 'c5'.repeat(32)],
] as const) {
  test(`no key: ${why}`, () => {
    const parsed = parseKey(text, 'publicKey');
    assert.ok(!parsed.ok);
    assert.deepEqual([parsed.error.code, parsed.error.field], ['key.invalid', 'publicKey']);
    if (text !== '') assert.ok(!parsed.error.message.includes(text), 'a broken key may still be a secret');
  });
}

test('parseKey(formatKey(x)) is x', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      const parsed = parseKey(formatKey(key));
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value, key);
    }),
  );
});
