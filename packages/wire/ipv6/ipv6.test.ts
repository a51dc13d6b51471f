import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '@vrouter/core/ip.ts';
import fc from 'fast-check';
import {
  checkIpv6,
  emitIpv6,
  IPV6_LEN,
  Ipv6Fault,
  type Ipv6Header,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6PayloadLen,
  parseIpv6,
  setIpv6HopLimit,
  swapIpv6Addresses,
} from './ipv6.ts';

const ip = (text: string): Uint8Array => {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
};
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

// fd77::1 -> fd77::2, ICMPv6, hop limit 63, traffic class 0xb8, flow label 0x12345, 4 bytes of payload.
const literal = '6b81234500043a3ffd770000000000000000000000000001fd770000000000000000000000000002';
const packet = (hex: string = literal): Uint8Array => Uint8Array.fromHex(`${hex}00010203`);
const header: Ipv6Header = {
  trafficClass: 0xb8,
  flowLabel: 0x12345,
  payloadLength: 4,
  nextHeader: 58,
  hopLimit: 63,
  src: ip('fd77::1'),
  dst: ip('fd77::2'),
};

test('accessors and parse read the literal packet', () => {
  const view = viewOf(packet());
  assert.equal(checkIpv6(view, 0, 44), Ipv6Fault.none);
  assert.deepEqual([ipv6PayloadLen(view, 0), ipv6NextHeader(view, 0), ipv6HopLimit(view, 0)], [4, 58, 63]);
  assert.deepEqual(parseIpv6(view, 0, 44), header);
});

test('emit writes the literal packet, over 0xa5 and at an offset', () => {
  const bytes = new Uint8Array(60).fill(0xa5);
  emitIpv6(header, viewOf(bytes), 5);
  assert.equal(bytes.subarray(5, 45).toHex(), literal);
  assert.ok(bytes.every((byte, i) => (i >= 5 && i < 45) || byte === 0xa5));
});

test('each fault has its number', () => {
  assert.equal(checkIpv6(viewOf(packet()), 0, 39), Ipv6Fault.short);
  assert.equal(checkIpv6(viewOf(packet(`4${literal.slice(1)}`)), 0, 44), Ipv6Fault.version);
  assert.equal(checkIpv6(viewOf(packet(literal.replace('00043a', '00053a'))), 0, 44), Ipv6Fault.payloadLength);
});

test('hop limit and addresses can be changed in place', () => {
  const view = viewOf(packet());
  setIpv6HopLimit(view, 0, 1);
  swapIpv6Addresses(view, 0);
  assert.deepEqual(parseIpv6(view, 0, 44), { ...header, hopLimit: 1, src: header.dst, dst: header.src });
});

const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
const anyHeader = fc.record(
  {
    trafficClass: fc.nat(255),
    flowLabel: fc.nat(0xfffff),
    payloadLength: fc.nat(100),
    nextHeader: fc.nat(255),
    hopLimit: fc.nat(255),
    src: address,
    dst: address,
  },
  { noNullPrototype: true },
);

test('parse gives back what emit wrote', () => {
  fc.assert(
    fc.property(anyHeader, (some) => {
      const bytes = new Uint8Array(IPV6_LEN + some.payloadLength).fill(0xa5);
      emitIpv6(some, viewOf(bytes), 0);
      assert.deepEqual(parseIpv6(viewOf(bytes), 0, bytes.length), some);
    }),
    { seed: 5 },
  );
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, plausible) => {
      if (plausible && bytes.length > 0) bytes[0] = 0x60 | (bytes[0]! & 0xf);
      const parsed = parseIpv6(viewOf(bytes), 0, bytes.length);
      assert.equal(parsed === null, checkIpv6(viewOf(bytes), 0, bytes.length) !== Ipv6Fault.none);
    }),
    { seed: 6, numRuns: 2000 },
  );
});
