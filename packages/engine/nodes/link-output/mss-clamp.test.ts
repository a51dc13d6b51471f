import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finishChecksum, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import fc from 'fast-check';
import { clampTcpMss } from './mss-clamp.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
/** Twenty bytes, the checksum 0; `words` is the header's length in words of 32 bits. */
const head = (words: number, flags: string): string =>
  `c00000500000000100000000${words.toString(16)}0${flags}200000000000`;

/** A SYN with these options; the checksum stands for nothing but itself. */
function syn(options: string, flags = '02'): Uint8Array {
  const bytes = Uint8Array.fromHex(`${head(5 + options.length / 8, flags)}${options}`);
  const v = viewOf(bytes);
  v.setUint16(16, finishChecksum(sumWords(v, 0, bytes.length, 0)));
  return bytes;
}

const clamped: readonly (readonly [what: string, before: string, after: string])[] = [
  ['alone', '020405b4', '020403e8'],
  ['at an odd place', '01020405b4010101', '01020403e8010101'],
  ['behind others', '0402080a000000010000000001020405b4010100', '0402080a000000010000000001020403e8010100'],
];
for (const [what, before, after] of clamped) {
  test(`an MSS ${what} is lowered, and the checksum is as if it had always been so`, () => {
    const bytes = syn(before);
    assert.equal(clampTcpMss(viewOf(bytes), 0, bytes.length, 1000), true);
    assert.equal(bytes.toHex(), syn(after).toHex());
    assert.equal(clampTcpMss(viewOf(bytes), 0, bytes.length, 1000), false, 'once is enough');
  });
}

const left: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['a small one', syn('020403e8')],
  ['no options', syn('')],
  ['a segment without SYN', syn('020405b4', '10')],
  ['an option of length 0', syn('03000204')],
  ['an option of length 1', syn('03010204')],
  ['an option beyond the header', syn('0101030a')],
  ['a kind without a length', syn('01010102')],
  ['an MSS of another length', syn('020305b4')],
  ['what stands behind the end of options', syn('00000000020405b4')],
  ['half a header', syn('020405b4').subarray(0, 19)],
  ['a header longer than the segment', syn('020405b4').subarray(0, 23)],
  ['a header shorter than a header', Uint8Array.fromHex(`${head(4, '02')}020405b4`)],
];
for (const [what, bytes] of left) {
  test(`${what}: left alone`, () => {
    const copy = bytes.slice();
    assert.equal(clampTcpMss(viewOf(copy), 0, copy.length, 1000), false);
    assert.deepEqual(copy, bytes.slice());
  });
}

test('a right checksum stays right, whatever the values', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(0xffff), fc.boolean(), fc.nat(0xffff), (mss, most, odd, window) => {
      const value = mss.toString(16).padStart(4, '0');
      const bytes = syn(odd ? `010204${value}010101` : `0204${value}`);
      const v = viewOf(bytes);
      v.setUint16(14, window);
      v.setUint16(16, 0);
      v.setUint16(16, finishChecksum(sumWords(v, 0, bytes.length, 0)));
      assert.equal(clampTcpMss(v, 0, bytes.length, most), mss > most);
      assert.equal(finishChecksum(sumWords(v, 0, bytes.length, 0)), 0);
    }),
    { seed: 5 },
  );
});

test('segments that another program made', () => {
  for (const [before, after] of [
    ['c0000050000000010000000060022000b7f30000020405b4', 'c0000050000000010000000060022000b9bf0000020403e8'],
    [
      'c0000050000000010000000070022000f5a1000001020405b4010101',
      'c0000050000000010000000070022000c1a3000001020403e8010101',
    ],
  ] as const) {
    const bytes = Uint8Array.fromHex(before);
    clampTcpMss(viewOf(bytes), 0, bytes.length, 1000);
    assert.equal(bytes.toHex(), after);
  }
});
