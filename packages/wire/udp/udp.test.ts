import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sumPseudoHeader } from '../checksum/checksum.ts';
import {
  checkUdp,
  checkUdpSum,
  emitUdp,
  parseUdp,
  UDP_LEN,
  UdpFault,
  udpChecksum,
  udpDst,
  udpLength,
  udpSrc,
} from './udp.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const pseudo4 = sumPseudoHeader(viewOf(Uint8Array.of(192, 0, 2, 1, 192, 0, 2, 2)), 0, 4, 17, 11);
const addresses = Uint8Array.fromHex('fd770000000000000000000000000001fd770000000000000000000000000002');
const pseudo6 = sumPseudoHeader(viewOf(addresses), 0, 16, 17, 11);
const header = { src: 1000, dst: 2000, payloadLength: 3 };

// The checksums were computed by another program.
for (const [family, hex, pseudo] of [
  [4, '03e807d0000babb9616263', pseudo4],
  [6, '03e807d0000b34cb616263', pseudo6],
] as const) {
  test(`UDP over IPv${family} both ways, over 0xa5`, () => {
    const bytes = Uint8Array.fromHex(hex);
    assert.deepEqual(parseUdp(viewOf(bytes), 0, 11, family, pseudo), header);
    const written = new Uint8Array(15).fill(0xa5);
    written.set(bytes.subarray(8), 10);
    emitUdp(header, viewOf(written), 2, pseudo);
    assert.equal(written.toHex(), `a5a5${hex}a5a5`);
  });
}

test('accessors', () => {
  const view = viewOf(Uint8Array.fromHex('03e807d0000babb9616263'));
  assert.deepEqual(
    [udpSrc, udpDst, udpLength, udpChecksum].map((get) => get(view, 0)),
    [1000, 2000, 11, 0xabb9],
  );
});

test('each fault has its number', () => {
  const view = viewOf(Uint8Array.fromHex('03e807d0000babb9616263'));
  assert.equal(checkUdp(view, 0, 7), UdpFault.short);
  assert.equal(checkUdp(view, 0, 10), UdpFault.length);
  assert.equal(checkUdp(viewOf(Uint8Array.fromHex('03e807d00007abb9')), 0, 8), UdpFault.length);
  assert.equal(checkUdp(view, 0, 11), UdpFault.none);
  assert.equal(checkUdpSum(view, 0, 4, pseudo4), UdpFault.none);
  assert.equal(checkUdpSum(view, 0, 4, pseudo4 + 1), UdpFault.checksum);
  assert.equal(parseUdp(view, 0, 11, 4, pseudo4 + 1), null);
});

test('no checksum is fine over IPv4 and not over IPv6', () => {
  const view = viewOf(Uint8Array.fromHex('03e807d0000b0000616263'));
  assert.equal(checkUdpSum(view, 0, 4, pseudo4), UdpFault.none);
  assert.equal(checkUdpSum(view, 0, 6, pseudo6), UdpFault.checksum);
});

test('parse gives back what emit wrote, and a checksum is never 0', () => {
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      fc.nat(0xffff),
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(0xfffff),
      (src, dst, data, sum) => {
        const bytes = new Uint8Array(UDP_LEN + data.length).fill(0xa5);
        bytes.set(data, UDP_LEN);
        const some = { src, dst, payloadLength: data.length };
        emitUdp(some, viewOf(bytes), 0, sum);
        assert.notEqual(udpChecksum(viewOf(bytes), 0), 0);
        assert.deepEqual(parseUdp(viewOf(bytes), 0, bytes.length, 6, sum), some);
      },
    ),
    { seed: 9 },
  );
});

test('a sum of zero goes out as 0xffff', () => {
  const bytes = new Uint8Array(8);
  emitUdp({ src: 0, dst: 0, payloadLength: 0 }, viewOf(bytes), 0, 0xffff - 8);
  assert.equal(udpChecksum(viewOf(bytes), 0), 0xffff);
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      parseUdp(viewOf(bytes), 0, bytes.length, 4, 0);
    }),
    { seed: 10, numRuns: 2000 },
  );
});
