import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  containsPrefix,
  formatPrefix,
  networkOf,
  type Prefix,
  parseInterfaceAddress,
  parsePrefix,
  prefixesOverlap,
} from './prefix.ts';

function prefix(text: string): Prefix {
  const parsed = parseInterfaceAddress(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

test('a network prefix in its canonical text', () => {
  for (const [written, canonical] of [
    ['10.0.0.0/24', '10.0.0.0/24'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['192.0.2.1', '192.0.2.1/32'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::/0', '::/0'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['10.128.0.0/9', '10.128.0.0/9'],
  ] as const) {
    const parsed = parsePrefix(written);
    assert.ok(parsed.ok, written);
    assert.equal(formatPrefix(parsed.value), canonical);
  }
});

test('host bits are refused with the prefix that was probably meant', () => {
  const parsed = parsePrefix('10.0.0.1/24', 'network');
  assert.ok(!parsed.ok);
  assert.deepEqual(
    { code: parsed.error.code, field: parsed.error.field },
    { code: 'prefix.invalid', field: 'network' },
  );
  assert.match(parsed.error.message, /10\.0\.0\.0\/24/);
  assert.ok(parsePrefix('10.0.0.0/7').ok);
  assert.ok(!parsePrefix('11.0.0.0/7').ok);
  assert.ok(!parsePrefix('2001:db8::1/64').ok);
});

test('an interface address keeps its host bits', () => {
  assert.equal(formatPrefix(prefix('10.77.0.1/24')), '10.77.0.1/24');
  assert.equal(formatPrefix(prefix('fd77::1/64')), 'fd77::1/64');
});

for (const text of [
  ...[
    '',
    '/',
    '/24',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '10.0.0.0/8.0',
    '10.0.0.0/1e1',
    '10.0.0.0/ 8',
  ],
  ...[
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
    '::/129',
    '::/0128',
    '10.0.0.0/024',
    '10.0.0.0/00',
    '::/064',
    '10.0.0/8',
    'x/8',
    '10.0.0.0/8\n',
    '10.0.0.0//8',
    '::/1000',
  ],
]) {
  test(`${JSON.stringify(text)} is no prefix`, () => {
    const parsed = parsePrefix(text, 'f');
    assert.ok(!parsed.ok);
    assert.equal(parsed.error.code, 'prefix.invalid');
    assert.equal(parsed.error.field, 'f');
  });
}

test('networkOf clears the host bits at every length', () => {
  assert.equal(formatPrefix(networkOf(prefix('255.255.255.255/0'))), '0.0.0.0/0');
  assert.equal(formatPrefix(networkOf(prefix('255.255.255.255/1'))), '128.0.0.0/1');
  assert.equal(formatPrefix(networkOf(prefix('255.255.255.255/15'))), '255.254.0.0/15');
  assert.equal(formatPrefix(networkOf(prefix('255.255.255.255/32'))), '255.255.255.255/32');
  assert.equal(formatPrefix(networkOf(prefix('2001:db8:ffff::1/33'))), '2001:db8:8000::/33');
  const before = prefix('10.0.0.1/8');
  networkOf(before);
  assert.equal(formatPrefix(before), '10.0.0.1/8', 'the argument stays as it was');
});

test('contains and overlaps', () => {
  const rows: readonly (readonly [outer: string, inner: string, contains: boolean, overlaps: boolean])[] = [
    ['10.0.0.0/8', '10.1.0.0/16', true, true],
    ['10.1.0.0/16', '10.0.0.0/8', false, true],
    ['10.0.0.0/8', '10.0.0.0/8', true, true],
    ['10.0.0.0/9', '10.128.0.0/9', false, false],
    ['0.0.0.0/0', '255.255.255.255/32', true, true],
    ['0.0.0.0/0', '::/0', false, false],
    ['::/0', '2001:db8::1/128', true, true],
    ['2001:db8::/33', '2001:db8:8000::/33', false, false],
    ['10.0.0.77/24', '10.0.0.1/32', true, true],
  ];
  for (const [outer, inner, contains, overlaps] of rows) {
    assert.equal(containsPrefix(prefix(outer), prefix(inner)), contains, `${outer} contains ${inner}`);
    assert.equal(prefixesOverlap(prefix(outer), prefix(inner)), overlaps, `${outer} overlaps ${inner}`);
    assert.equal(prefixesOverlap(prefix(inner), prefix(outer)), overlaps, `${inner} overlaps ${outer}`);
  }
});

const anyPrefix = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .chain((address) => fc.nat(address.length * 8).map((bits): Prefix => ({ address, bits })));

const bitsOf = (address: Uint8Array): string => [...address].map((byte) => byte.toString(2).padStart(8, '0')).join('');

test('parse(format(x)) is x', () => {
  fc.assert(
    fc.property(anyPrefix, (any) => {
      assert.deepEqual(prefix(formatPrefix(any)), any);
      const parsed = parsePrefix(formatPrefix(networkOf(any)));
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value, networkOf(any));
    }),
  );
});

test('networkOf and containsPrefix agree with the bits written out', () => {
  fc.assert(
    fc.property(anyPrefix, anyPrefix, fc.nat(128), (a, b, shared) => {
      const kept = bitsOf(a.address).slice(0, a.bits);
      assert.equal(bitsOf(networkOf(a).address), kept.padEnd(a.address.length * 8, '0'));
      // Noise is hardly ever inside other noise: let b begin like a.
      const near = Uint8Array.from(b.address, (byte, i) =>
        i < shared / 8 && i < a.address.length ? a.address[i]! : byte,
      );
      const other: Prefix = { address: near, bits: b.bits };
      const expected =
        near.length === a.address.length &&
        b.bits >= a.bits &&
        bitsOf(near).slice(0, a.bits) === bitsOf(a.address).slice(0, a.bits);
      assert.equal(containsPrefix(a, other), expected);
    }),
    { numRuns: 500 },
  );
});
