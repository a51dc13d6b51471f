import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from './json.ts';
import { Secret } from './secret.ts';

test('names are sorted at every depth, lists keep their order', () => {
  assert.equal(canonicalJson({ b: 1, a: [{ d: 1, c: 2 }, 3], B: null }), '{"B":null,"a":[{"c":2,"d":1},3],"b":1}');
  assert.equal(canonicalJson([3, 1, 2]), '[3,1,2]');
  assert.equal(canonicalJson('x'), '"x"');
  assert.equal(canonicalJson(null), 'null');
});

test('undefined members are left out and toJSON is honoured', () => {
  assert.equal(canonicalJson({ a: undefined, b: 1 }), '{"b":1}');
  assert.equal(
    canonicalJson({ b: new Date(0), a: { toJSON: () => ({ z: 1, y: 2 }) } }),
    '{"a":{"y":2,"z":1},"b":"1970-01-01T00:00:00.000Z"}',
  );
  assert.equal(canonicalJson({ key: new Secret(Uint8Array.of(1), 'f00d') }), '{"key":{"fingerprint":"f00d"}}');
});

test('a member named __proto__ is a member', () => {
  const value: unknown = JSON.parse('{"__proto__":{"b":1,"a":2},"a":1}');
  assert.equal(canonicalJson(value), '{"__proto__":{"a":2,"b":1},"a":1}');
});

function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, shuffled(member)]),
  );
}

test('equal values have one text, and it says the same', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      assert.equal(canonicalJson(shuffled(value)), text);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(JSON.parse(text)), text);
    }),
    { numRuns: 300 },
  );
});
