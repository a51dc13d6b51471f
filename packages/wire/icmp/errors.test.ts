import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sumPseudoHeader } from '../checksum/checksum.ts';
import {
  emitIcmpError,
  type IcmpError,
  icmpErrorLen,
  icmpIsQuery,
  icmpMtu4,
  icmpMtu6,
  icmpv6IsQuery,
  parseIcmpError,
} from './errors.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const quote = Uint8Array.fromHex('4500001d1c464000');
// fd77::1 -> fd77::2 with 16 bytes of ICMPv6.
const addresses = Uint8Array.fromHex('fd770000000000000000000000000001fd770000000000000000000000000002');
const pseudo6 = sumPseudoHeader(viewOf(addresses), 0, 16, 58, 16);

// The checksums were computed by another program.
const rows: readonly { hex: string; pseudo: number; error: IcmpError }[] = [
  { hex: '0b00539c000000004500001d1c464000', pseudo: 0, error: { family: 4, type: 11, code: 0, rest: 0, quote } },
  { hex: '03045684000005144500001d1c464000', pseudo: 0, error: { family: 4, type: 3, code: 4, rest: 1300, quote } },
  {
    hex: '02005c4b000005144500001d1c464000',
    pseudo: pseudo6,
    error: { family: 6, type: 2, code: 0, rest: 1300, quote },
  },
];

for (const { hex, pseudo, error } of rows) {
  test(`${hex} both ways, over 0xa5`, () => {
    const bytes = Uint8Array.fromHex(hex);
    assert.deepEqual(parseIcmpError(error.family, viewOf(bytes), 0, bytes.length, pseudo), error);
    const written = new Uint8Array(bytes.length + 6).fill(0xa5);
    emitIcmpError(error, viewOf(written), 3, pseudo);
    assert.equal(written.toHex(), `a5a5a5${hex}a5a5a5`);
    assert.equal(icmpErrorLen(error), bytes.length);
  });
}

test('the MTU of the next hop', () => {
  assert.equal(icmpMtu4(viewOf(Uint8Array.fromHex(rows[1]!.hex)), 0), 1300);
  assert.equal(icmpMtu6(viewOf(Uint8Array.fromHex(rows[2]!.hex)), 0), 1300);
});

test('questions and answers are no errors, what nobody knows is one', () => {
  const all = Array.from({ length: 256 }, (_, type) => type);
  assert.deepEqual(all.filter(icmpIsQuery), [0, 8, 9, 10, 13, 14, 15, 16, 17, 18]);
  assert.deepEqual(
    all.filter((type) => !icmpv6IsQuery(type)),
    [...all.slice(0, 128), 137],
  );
  const echo = { ...rows[0]!.error, type: 8 };
  const bytes = new Uint8Array(icmpErrorLen(echo));
  emitIcmpError(echo, viewOf(bytes), 0, 0);
  assert.equal(parseIcmpError(4, viewOf(bytes), 0, bytes.length, 0), null);
  assert.notEqual(parseIcmpError(6, viewOf(bytes), 0, bytes.length, 0), null);
});

test('parse gives back what emit wrote', () => {
  const anyError = fc.record(
    {
      family: fc.constantFrom(4 as const, 6 as const),
      type: fc.constantFrom(3, 4, 5, 11, 12),
      code: fc.nat(255),
      rest: fc.nat(0xffffffff),
      quote: fc.uint8Array({ maxLength: 1232 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(anyError, fc.nat(0xfffff), (error, pseudo) => {
      const bytes = new Uint8Array(icmpErrorLen(error)).fill(0xa5);
      emitIcmpError(error, viewOf(bytes), 0, pseudo);
      assert.deepEqual(parseIcmpError(error.family, viewOf(bytes), 0, bytes.length, pseudo), error);
    }),
    { seed: 7 },
  );
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(4 as const, 6 as const), (bytes, family) => {
      parseIcmpError(family, viewOf(bytes), 0, bytes.length, 0);
    }),
    { seed: 8, numRuns: 2000 },
  );
});
