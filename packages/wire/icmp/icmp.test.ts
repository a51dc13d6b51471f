import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sumPseudoHeader } from '../checksum/checksum.ts';
import {
  checkIcmp,
  emitIcmpEcho,
  type IcmpEcho,
  IcmpFault,
  IcmpType,
  Icmpv6Type,
  icmpCode,
  icmpEchoIdentifier,
  icmpEchoLen,
  icmpEchoSequence,
  icmpType,
  parseIcmpEcho,
  setIcmpType,
} from './icmp.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const abcdef = Uint8Array.fromHex('616263646566');
// fd77::1 -> fd77::2 with 14 bytes of ICMPv6.
const addresses = Uint8Array.fromHex('fd770000000000000000000000000001fd770000000000000000000000000002');
const pseudo6 = sumPseudoHeader(viewOf(addresses), 0, 16, 58, 14);

// The checksums were computed by another program.
const rows: readonly { hex: string; pseudo: number; echo: IcmpEcho }[] = [
  {
    hex: '0800bb9d12340001616263646566',
    pseudo: 0,
    echo: { family: 4, reply: false, identifier: 0x1234, sequence: 1, data: abcdef },
  },
  {
    hex: '0800216812340001616263',
    pseudo: 0,
    echo: { family: 4, reply: false, identifier: 0x1234, sequence: 1, data: abcdef.subarray(0, 3) },
  },
  {
    hex: '8000486212340001616263646566',
    pseudo: pseudo6,
    echo: { family: 6, reply: false, identifier: 0x1234, sequence: 1, data: abcdef },
  },
];

for (const { hex, pseudo, echo } of rows) {
  test(`${hex} both ways, over 0xa5`, () => {
    const bytes = Uint8Array.fromHex(hex);
    assert.deepEqual(parseIcmpEcho(echo.family, viewOf(bytes), 0, bytes.length, pseudo), echo);
    const written = new Uint8Array(bytes.length + 6).fill(0xa5);
    emitIcmpEcho(echo, viewOf(written), 3, pseudo);
    assert.equal(written.toHex(), `a5a5a5${hex}a5a5a5`);
    assert.equal(icmpEchoLen(echo), bytes.length);
  });

  test(`${hex} becomes its reply in place`, () => {
    const bytes = Uint8Array.fromHex(hex);
    setIcmpType(viewOf(bytes), 0, echo.family === 4 ? IcmpType.echoReply : Icmpv6Type.echoReply);
    assert.deepEqual(parseIcmpEcho(echo.family, viewOf(bytes), 0, bytes.length, pseudo), { ...echo, reply: true });
  });
}

test('accessors', () => {
  const view = viewOf(Uint8Array.fromHex(rows[0]!.hex));
  assert.deepEqual(
    [icmpType, icmpCode, icmpEchoIdentifier, icmpEchoSequence].map((get) => get(view, 0)),
    [8, 0, 0x1234, 1],
  );
});

test('each fault has its number', () => {
  const bytes = Uint8Array.fromHex(rows[0]!.hex);
  assert.equal(checkIcmp(viewOf(bytes), 0, 7, 0), IcmpFault.short);
  assert.equal(checkIcmp(viewOf(bytes), 0, 14, 1), IcmpFault.checksum);
  assert.equal(checkIcmp(viewOf(bytes), 0, 14, 0), IcmpFault.none);
});

test('what is no echo is not parsed as one', () => {
  const bytes = Uint8Array.fromHex('0301fbfe0000000061626364'); // destination unreachable
  const view = viewOf(bytes);
  view.setUint16(2, 0);
  emitIcmpEcho({ ...rows[0]!.echo, data: new Uint8Array(4) }, view, 0, 0);
  setIcmpType(view, 0, 3);
  assert.equal(checkIcmp(view, 0, 12, 0), IcmpFault.none);
  assert.equal(parseIcmpEcho(4, view, 0, 12, 0), null);
  setIcmpType(view, 0, 8);
  assert.notEqual(parseIcmpEcho(4, view, 0, 12, 0), null);
  assert.equal(parseIcmpEcho(6, view, 0, 12, 0), null);
});

test('parse gives back what emit wrote', () => {
  const anyEcho = fc.record(
    {
      family: fc.constantFrom(4 as const, 6 as const),
      reply: fc.boolean(),
      identifier: fc.nat(0xffff),
      sequence: fc.nat(0xffff),
      data: fc.uint8Array({ maxLength: 200 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(anyEcho, fc.nat(0xfffff), (echo, pseudo) => {
      const bytes = new Uint8Array(icmpEchoLen(echo)).fill(0xa5);
      emitIcmpEcho(echo, viewOf(bytes), 0, pseudo);
      assert.deepEqual(parseIcmpEcho(echo.family, viewOf(bytes), 0, bytes.length, pseudo), echo);
    }),
    { seed: 7 },
  );
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(4 as const, 6 as const), (bytes, family) => {
      parseIcmpEcho(family, viewOf(bytes), 0, bytes.length, 0);
    }),
    { seed: 8, numRuns: 2000 },
  );
});
