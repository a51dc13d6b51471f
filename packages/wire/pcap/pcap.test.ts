import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LINKTYPE_RAW, parsePcap, pcapHeader, pcapRecord } from './pcap.ts';

const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

// Laid out by hand from the draft: 1,700,000,000.123456 s, three bytes of a packet of 28.
const header = 'd4c3b2a1020004000000000000000000ffff000065000000';
const record = '00f1536540e20100030000001c000000450000';

test('literal bytes both ways', () => {
  const packet = Uint8Array.fromHex('a5450000a5');
  assert.equal(pcapHeader(LINKTYPE_RAW, 65_535).toHex(), header);
  assert.equal(pcapRecord(1_700_000_000_123.456, packet, 1, 3, 28).toHex(), record);
  const file = parsePcap(Uint8Array.fromHex(header + record))!;
  assert.deepEqual([file.linkType, file.snapLen, file.packets.length], [101, 65_535, 1]);
  assert.equal(file.packets[0]!.unixMs, 1_700_000_000_123.456);
  assert.equal(file.packets[0]!.data.toHex(), '450000');
  assert.equal(file.packets[0]!.originalLength, 28);
});

test('big-endian files with nanoseconds are read too', () => {
  const big = 'a1b23c4d00020004000000000000000000040000000000656553f100075bca00000000010000000245';
  const file = parsePcap(Uint8Array.fromHex(big))!;
  assert.deepEqual([file.linkType, file.snapLen], [101, 262_144]);
  assert.equal(file.packets[0]!.unixMs, 1_700_000_000_123.456);
  assert.deepEqual([file.packets[0]!.data.length, file.packets[0]!.originalLength], [1, 2]);
});

test('what is cut off, too long or something else is refused', () => {
  const whole = Uint8Array.fromHex(header + record);
  assert.equal(parsePcap(Uint8Array.fromHex(header))?.packets.length, 0);
  for (let length = 0; length < whole.length; length++)
    if (length !== 24) assert.equal(parsePcap(whole.subarray(0, length)), null, String(length));
  assert.equal(parsePcap(Uint8Array.fromHex(`00${header.slice(2)}`)), null);
  assert.equal(parsePcap(Uint8Array.fromHex(`${header}00f1536540e20100ffffffff1c000000450000`)), null);
});

test('parse gives back what was written', () => {
  const packets = fc.array(
    fc.record({ unixMs: fc.nat(2 ** 31 - 1), data: fc.uint8Array({ maxLength: 90 }), more: fc.nat(2000) }),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(packets, (some) => {
      const records = some.map(({ unixMs, data, more }) =>
        pcapRecord(unixMs, data, 0, data.length, data.length + more),
      );
      const file = parsePcap(joined(pcapHeader(1, 96), ...records))!;
      assert.deepEqual(
        file.packets.map(({ unixMs, data, originalLength }) => [unixMs, data.toHex(), originalLength]),
        some.map(({ unixMs, data, more }) => [unixMs, data.toHex(), data.length + more]),
      );
    }),
    { seed: 101 },
  );
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      parsePcap(bytes);
      parsePcap(joined(pcapHeader(101, 0), bytes));
    }),
    { seed: 102, numRuns: 2000 },
  );
});
