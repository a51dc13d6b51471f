import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  PcapngDirection,
  type PcapngPacket,
  parsePcapng,
  pcapngInterface,
  pcapngPacket,
  pcapngSection,
} from './pcapng.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

// Laid out by hand from the draft.
const section = '0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000';
const wg0 = '0100000020000000650000006000000002000300776730000000000020000000';
const packet =
  '060000003800000000000000240a060078202018030000000400000045000000010002006869000002000400010000000000000038000000';

test('literal bytes both ways', () => {
  assert.equal(pcapngSection().toHex(), section);
  assert.equal(pcapngInterface(utf8('wg0'), 101, 96).toHex(), wg0);
  const one: PcapngPacket = {
    interface: 0,
    unixMs: 1_700_000_000_123,
    data: Uint8Array.of(0x45, 0, 0),
    originalLength: 4,
    direction: PcapngDirection.inbound,
    comment: utf8('hi'),
  };
  const bytes = pcapngPacket(one);
  const file = parsePcapng(joined(Uint8Array.fromHex(section + wg0), bytes))!;
  assert.equal(bytes.toHex(), packet);
  assert.deepEqual([file.interfaces[0]!.linkType, file.interfaces[0]!.snapLen], [101, 96]);
  assert.equal(new TextDecoder().decode(file.interfaces[0]!.name), 'wg0');
  assert.equal(file.packets[0]!.unixMs, one.unixMs);
  assert.equal(new TextDecoder().decode(file.packets[0]!.comment), 'hi');
});

test('what is cut off or refers to no interface is refused; unknown blocks are passed over', () => {
  const whole = Uint8Array.fromHex(section + wg0 + packet);
  const ends = [28, 60, whole.length];
  for (let length = 0; length < whole.length; length++)
    if (!ends.includes(length)) assert.equal(parsePcapng(whole.subarray(0, length)), null, String(length));
  assert.equal(parsePcapng(Uint8Array.fromHex(section + packet)), null);
  assert.equal(parsePcapng(Uint8Array.fromHex(wg0)), null);
  const unknown = '0500000010000000abcdef0010000000';
  assert.equal(parsePcapng(Uint8Array.fromHex(section + wg0 + unknown + packet))?.packets.length, 1);
});

test('parse gives back what was written', () => {
  const some = fc.record({
    unixMs: fc.nat(2 ** 31 - 1),
    data: fc.uint8Array({ maxLength: 50 }),
    originalLength: fc.nat(65_535),
    direction: fc.constantFrom(...Object.values(PcapngDirection)),
    comment: fc.uint8Array({ maxLength: 20 }),
    interface: fc.nat(1),
  });
  fc.assert(
    fc.property(fc.array(some, { maxLength: 6 }), (packets) => {
      const interfaces = ['a', 'link'].map((name) => pcapngInterface(utf8(name), 101, 0));
      const file = parsePcapng(joined(pcapngSection(), ...interfaces, ...packets.map(pcapngPacket)))!;
      const plain = (one: PcapngPacket): unknown => ({ ...one, data: one.data.toHex(), comment: one.comment.toHex() });
      assert.deepEqual(file.packets.map(plain), packets.map(plain));
    }),
    { seed: 103 },
  );
});

test('random bytes never throw', () => {
  const start = Uint8Array.fromHex(section + wg0);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      parsePcapng(bytes);
      parsePcapng(joined(start, bytes));
    }),
    { seed: 104, numRuns: 2000 },
  );
});
