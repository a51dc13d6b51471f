import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyFragmentOptions, ipv4FragmentOffset, ipv4MoreFragments } from './fragment.ts';

const header = (options: string, fragment = '0000'): DataView => {
  const words = (5 + options.length / 8).toString(16);
  const hex = `4${words}0000001234${fragment}400000000a4d00020a4d0003${options}`;
  return new DataView(Uint8Array.fromHex(hex).buffer);
};

test('where a piece belongs', () => {
  for (const [field, offset, more] of [
    ['0000', 0, false],
    ['2000', 0, true],
    ['3fff', 65_528, true],
    ['4000', 0, false],
    ['0064', 800, false],
  ] as const) {
    const v = header('', field);
    assert.deepEqual([ipv4FragmentOffset(v, 0), ipv4MoreFragments(v, 0)], [offset, more], field);
  }
});

test('only options with the copied flag go on, padded; what makes no sense is refused', () => {
  for (const [options, copied] of [
    ['', ''],
    ['01010101', ''],
    ['9404000007040000', '94040000'],
    ['8303040001000000', '83030400'],
    ['0000000094040000', ''],
    ['0194040000010101', '94040000'],
    ['94000000', null],
    ['94050000', null],
    ['01010194', null],
  ] as const) {
    const into = new Uint8Array(44).fill(0xa5);
    const length = copyFragmentOptions(header(options), 0, into, 2);
    if (copied === null) assert.equal(length, -1, options);
    else assert.equal(into.subarray(0, 2 + length + 1).toHex(), `a5a5${copied}a5`, options);
  }
});
