import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { finishChecksum, sumPseudoHeader, sumWords, updateChecksum } from './checksum.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

test('the worked example of RFC 1071 section 3', () => {
  const bytes = Uint8Array.fromHex('0001f203f4f5f6f7');
  assert.equal(finishChecksum(sumWords(viewOf(bytes), 0, 8, 0)), 0xffff - 0xddf2);
});

test('the worked example of RFC 1624 section 4', () => {
  assert.equal(updateChecksum(0xdd2f, 0x5555, 0x3285), 0x0000);
});

test('an odd byte is the high half of a word', () => {
  assert.equal(finishChecksum(sumWords(viewOf(Uint8Array.of(0x12, 0x34, 0x56)), 0, 3, 0)), ~(0x1234 + 0x5600) & 0xffff);
});

test('data with its checksum in it sums to zero, at any length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 3000 }), (bytes) => {
      bytes[0] = 0;
      bytes[1] = 0;
      const view = viewOf(bytes);
      view.setUint16(0, finishChecksum(sumWords(view, 0, bytes.length, 0)));
      assert.equal(finishChecksum(sumWords(view, 0, bytes.length, 0)), 0);
    }),
    { seed: 1 },
  );
});

test('an incremental update verifies like a full sum', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      fc.integer({ min: 1, max: 9 }),
      fc.nat(0xffff),
      (bytes, word, value) => {
        // A header is never all zero, which is the one sum with two spellings.
        bytes[2] = 0x45;
        const view = viewOf(bytes);
        view.setUint16(0, 0);
        view.setUint16(0, finishChecksum(sumWords(view, 0, 20, 0)));
        const before = view.getUint16(2 * word);
        view.setUint16(2 * word, value);
        view.setUint16(0, updateChecksum(view.getUint16(0), before, value));
        if (word !== 1) assert.equal(finishChecksum(sumWords(view, 0, 20, 0)), 0);
      },
    ),
    { seed: 2 },
  );
});

test('the pseudo-header of a UDP datagram from 192.0.2.1 to 192.0.2.2', () => {
  const addresses = Uint8Array.of(192, 0, 2, 1, 192, 0, 2, 2);
  assert.equal(sumPseudoHeader(viewOf(addresses), 0, 4, 17, 12), 0xc000 + 0x0201 + 0xc000 + 0x0202 + 17 + 12);
});

test('a long packet does not overflow', () => {
  const bytes = new Uint8Array(65534).fill(0xff);
  assert.equal(finishChecksum(sumWords(viewOf(bytes), 0, bytes.length, 0)), 0);
});
