import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  emitIpv6Fragment,
  findUpperLayer,
  ipv6FragmentId,
  ipv6FragmentOffset,
  ipv6MoreFragments,
  makeUpperLayer,
  type UpperLayer,
} from './extensions.ts';

function find(nextHeader: string, payload: string): UpperLayer {
  const length = (payload.length / 2).toString(16).padStart(4, '0');
  const bytes = Uint8Array.fromHex(
    `60000000${length}${nextHeader}40fd770000000000000000000000000002fd770000000000000000000000000003${payload}`,
  );
  const found = makeUpperLayer();
  findUpperLayer(new DataView(bytes.buffer), 0, bytes.length, found);
  return found;
}

const whole = { fragment: false, laterFragment: false };
const rows: readonly (readonly [what: string, nextHeader: string, payload: string, found: UpperLayer])[] = [
  ['no extension', '3a', '8000', { protocol: 58, at: 40, ...whole }],
  [
    'hop-by-hop, destination options',
    '00',
    `3c00000000000000${'0601'}${'00'.repeat(14)}`,
    { protocol: 6, at: 64, ...whole },
  ],
  ['authentication counts words of four bytes', '33', `1104${'00'.repeat(22)}`, { protocol: 17, at: 64, ...whole }],
  ['a first piece', '2c', '3a00000100000007', { protocol: 58, at: 48, fragment: true, laterFragment: false }],
  ['a later piece', '2c', '3a00003900000007ffff', { protocol: 58, at: 48, fragment: true, laterFragment: true }],
  [
    'a later piece whose next header names an extension',
    '2c',
    '3c00003900000007',
    { protocol: 60, at: 48, fragment: true, laterFragment: true },
  ],
  ['half a header', '00', '3a0000', { protocol: -1, at: 40, ...whole }],
  ['a header longer than the packet', '00', '3a01000000000000', { protocol: -1, at: 40, ...whole }],
  ['nine headers', '3c', '3c00000000000000'.repeat(9), { protocol: -1, at: 40 + 64, ...whole }],
  ['eight headers', '3c', `${'3c00000000000000'.repeat(7)}0600000000000000`, { protocol: 6, at: 40 + 64, ...whole }],
];
for (const [what, nextHeader, payload, found] of rows) {
  test(what, () => assert.deepEqual(find(nextHeader, payload), found));
}

test('a fragment header both ways, over 0xa5', () => {
  const bytes = new Uint8Array(10).fill(0xa5);
  const v = new DataView(bytes.buffer);
  emitIpv6Fragment(v, 1, 58, 1448, true, 0xabcdef01);
  assert.equal(bytes.toHex(), 'a53a0005a9abcdef01a5');
  assert.deepEqual([ipv6FragmentOffset(v, 1), ipv6MoreFragments(v, 1), ipv6FragmentId(v, 1)], [1448, true, 0xabcdef01]);
});
