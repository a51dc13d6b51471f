import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkIpv4,
  emitIpv4,
  Ipv4Fault,
  type Ipv4Header,
  ipVersion,
  ipv4DontFragment,
  ipv4Dst,
  ipv4HeaderLen,
  ipv4Id,
  ipv4IsFragment,
  ipv4Len,
  ipv4Protocol,
  ipv4Src,
  ipv4TotalLen,
  ipv4Ttl,
  parseIpv4,
  setIpv4Ttl,
  swapIpv4Addresses,
} from './ipv4.ts';

// 10.0.0.1 -> 10.0.0.2, ICMP, TTL 64, DF, 8 bytes of payload; the checksum was computed by another program.
const literal = '4500001c1c46400040010a990a0000010a000002';
const packet = (hex: string = literal): Uint8Array => Uint8Array.fromHex(`${hex}0001020304050607`);
const header: Ipv4Header = {
  dscp: 0,
  ecn: 0,
  id: 0x1c46,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: 1,
  src: Uint8Array.of(10, 0, 0, 1),
  dst: Uint8Array.of(10, 0, 0, 2),
  options: new Uint8Array(0),
  payloadLength: 8,
};
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

test('accessors and parse read the literal packet', () => {
  const view = viewOf(packet());
  assert.equal(checkIpv4(view, 0, 28), Ipv4Fault.none);
  assert.deepEqual(
    [ipVersion, ipv4HeaderLen, ipv4TotalLen, ipv4Id, ipv4Ttl, ipv4Protocol, ipv4Src, ipv4Dst].map((get) =>
      get(view, 0),
    ),
    [4, 20, 28, 0x1c46, 64, 1, 0x0a000001, 0x0a000002],
  );
  assert.equal(ipv4IsFragment(view, 0), false);
  assert.equal(ipv4DontFragment(view, 0), true);
  assert.deepEqual(parseIpv4(view, 0, 28), header);
});

test('emit writes the literal packet, over 0xa5 and at an offset', () => {
  const bytes = new Uint8Array(40).fill(0xa5);
  emitIpv4(header, viewOf(bytes), 7);
  assert.equal(bytes.subarray(7, 27).toHex(), literal);
  assert.ok(bytes.every((byte, i) => (i >= 7 && i < 27) || byte === 0xa5));
});

test('each fault has its number', () => {
  const rows: readonly [string, Ipv4Fault, number?][] = [
    [literal, Ipv4Fault.short, 19],
    [`6${literal.slice(1)}`, Ipv4Fault.version],
    [`44${literal.slice(2)}`, Ipv4Fault.headerLength],
    [`4f${literal.slice(2)}`, Ipv4Fault.headerLength],
    [literal.replace('001c1c', '00131c'), Ipv4Fault.totalLength],
    [literal.replace('001c1c', '001d1c'), Ipv4Fault.totalLength],
    [literal.replace('0a99', '0a98'), Ipv4Fault.checksum],
    [literal.replace('4001', '3f01'), Ipv4Fault.checksum],
  ];
  for (const [hex, fault, end] of rows) assert.equal(checkIpv4(viewOf(packet(hex)), 0, end ?? 28), fault, hex);
});

test('fragments are known by either mark', () => {
  for (const [field, expected] of [
    ['4000', false],
    ['2000', true],
    ['0001', true],
    ['8000', false],
  ] as const)
    assert.equal(ipv4IsFragment(viewOf(packet(literal.replace('46400040', `46${field}40`))), 0), expected, field);
});

test('a new TTL and swapped addresses keep the checksum right', () => {
  for (let ttl = 0; ttl < 256; ttl++) {
    const view = viewOf(packet());
    setIpv4Ttl(view, 0, ttl);
    swapIpv4Addresses(view, 0);
    assert.equal(checkIpv4(view, 0, 28), Ipv4Fault.none);
    assert.deepEqual(parseIpv4(view, 0, 28), { ...header, ttl, src: header.dst, dst: header.src });
  }
});

const anyHeader = fc.record(
  {
    dscp: fc.nat(63),
    ecn: fc.nat(3),
    id: fc.nat(0xffff),
    dontFragment: fc.boolean(),
    moreFragments: fc.boolean(),
    fragmentOffset: fc.nat(0x1fff).map((units) => units * 8),
    ttl: fc.nat(255),
    protocol: fc.nat(255),
    src: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    dst: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    options: fc.nat(10).chain((words) => fc.uint8Array({ minLength: 4 * words, maxLength: 4 * words })),
    payloadLength: fc.nat(100),
  },
  { noNullPrototype: true },
);

test('parse gives back what emit wrote', () => {
  fc.assert(
    fc.property(anyHeader, (some) => {
      const bytes = new Uint8Array(ipv4Len(some) + some.payloadLength).fill(0xa5);
      emitIpv4(some, viewOf(bytes), 0);
      assert.deepEqual(parseIpv4(viewOf(bytes), 0, bytes.length), some);
    }),
    { seed: 3 },
  );
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, plausible) => {
      if (plausible && bytes.length > 0) bytes[0] = 0x40 | (bytes[0]! & 0xf);
      const parsed = parseIpv4(viewOf(bytes), 0, bytes.length);
      assert.equal(parsed === null, checkIpv4(viewOf(bytes), 0, bytes.length) !== Ipv4Fault.none);
    }),
    { seed: 4, numRuns: 2000 },
  );
});

test('emit refuses what no header can say', () => {
  const view = viewOf(new Uint8Array(100));
  for (const bad of [{ options: new Uint8Array(3) }, { payloadLength: 65516 }, { fragmentOffset: 4 }])
    assert.throws(() => emitIpv4({ ...header, ...bad }, view, 0), RangeError);
});
