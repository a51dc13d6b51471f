import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { StateHash } from './hash.ts';

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text, 'utf8').digest();
const of = (entries: readonly (readonly [string, unknown])[]): string => {
  const hash = new StateHash(sha256);
  for (const [key, intent] of entries) hash.add(key, intent);
  return hash.hex();
};

test('nothing is zero, one is the digest itself, names of fields in any order', () => {
  assert.equal(of([]), '0'.repeat(64));
  const digest = createHash('sha256').update('vrf\0vrf/blau-ü\0{"kind":"vrf","name":"blau-ü"}', 'utf8').digest('hex');
  assert.equal(of([['vrf/blau-ü', { name: 'blau-ü', kind: 'vrf' }]]), digest);
});

test('a sum modulo 2^256: carries, order, taking away', () => {
  const entry = fc.tuple(
    fc.string({ minLength: 1 }).map((s) => `peer/${s}`),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
      const sum = entries.reduce((total, [key, intent]) => {
        const single = new StateHash(sha256);
        single.add(key, intent);
        return (total + BigInt(`0x${single.hex()}`)) & ((1n << 256n) - 1n);
      }, 0n);
      const hash = new StateHash(sha256);
      for (const [key, intent] of entries) hash.add(key, intent);
      assert.equal(hash.hex(), sum.toString(16).padStart(64, '0'));
      assert.equal(of([...entries].reverse()), hash.hex());
      for (const [key, intent] of entries) hash.remove(key, intent);
      assert.equal(hash.hex(), '0'.repeat(64));
    }),
  );
});

test('key and value both count', () => {
  assert.notEqual(of([['vrf/a', 1]]), of([['vrf/b', 1]]));
  assert.notEqual(of([['vrf/a', 1]]), of([['vrf/a', 2]]));
});

test('a clone goes its own way', () => {
  const hash = new StateHash(sha256);
  hash.add('vrf/a', 1);
  const copy = hash.clone();
  copy.add('vrf/b', 2);
  assert.equal(hash.hex(), of([['vrf/a', 1]]));
  assert.equal(
    copy.hex(),
    of([
      ['vrf/a', 1],
      ['vrf/b', 2],
    ]),
  );
});
