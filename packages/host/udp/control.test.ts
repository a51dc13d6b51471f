import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import { noControl, readControl, readLocal, writeSource } from './control.ts';

const GRO_1452 = '14000000000000001100000068000000ac05000000000000';
const V4_77 = '1c00000000000000000000000800000002000000c000024dc000024d00000000';
const V6_77 = '2400000000000000290000003200000020010db80000000000000000000000770300000000000000';
const MAPPED_77 = '240000000000000029000000320000000000000000000000' + '0000ffffc000024d' + '0300000000000000';
const four = makeEndpoint(Uint8Array.of(198, 51, 100, 1), 1);
const six = makeEndpoint(Uint8Array.fromHex('20010db8000000000000000000000001'), 1);

/** What is read of the bytes, told to be `length` long: the segment, and our side as seen from an endpoint. */
function read(hex: string, from = four, length = hex.length / 2): readonly [number, string, number | null] {
  const arena = new Uint8Array(256);
  arena.set(Uint8Array.fromHex(hex));
  const control = noControl();
  control.local.fill(9);
  readControl(new Uint32Array(arena.buffer), 0, length, control);
  const local = readLocal(control.local, from);
  return [control.segment, local?.address.toHex() ?? '', local?.interfaceIndex ?? null];
}

const unknown = '1400000000000000010000001d000000ffffffff00000000';
for (const [what, told, expected] of [
  ['nothing', read(''), [0, '', null]],
  ['the length of bundled datagrams', read(GRO_1452), [1452, '', null]],
  ['an IPv4 address, on any interface', read(V4_77), [0, 'c000024d', 0]],
  ['an IPv6 address, on any interface', read(V6_77, six), [0, '20010db8000000000000000000000077', 0]],
  ['a mapped address for an IPv4 peer', read(MAPPED_77), [0, 'c000024d', 0]],
  ['nothing of use to a peer of the other family', read(MAPPED_77, six), [0, '', null]],
  ['both, in either order', read(V6_77 + GRO_1452, six), [1452, '20010db8000000000000000000000077', 0]],
  ['both, in the other order', read(GRO_1452 + V4_77), [1452, 'c000024d', 0]],
  ['what stands behind something unknown', read(unknown + GRO_1452), [1452, '', null]],
  [
    'a link-local address with its interface',
    read(V6_77.replace('20010db8', 'fe800000'), six),
    [0, 'fe800000000000000000000000000077', 3],
  ],
  ['no group as a source', read(V6_77.replace('20010db8', 'ff020000'), six), [0, '', null]],
  ['no IPv4 group either', read(V4_77.replaceAll('c000024d', 'e0000001')), [0, '', null]],
  ['nothing of a message that is cut off', read(V4_77, four, 27), [0, '', null]],
  ['nothing of one shorter than its header', read(`0f${V4_77.slice(2)}`), [0, '', null]],
  ['nothing of one longer than there is', read(`ff${V4_77.slice(2)}`), [0, '', null]],
] as const)
  it(`reads ${what}`, () => assert.deepEqual(told, expected));

it('writes what makes a datagram come from an address', () => {
  for (const [hex, interfaceIndex, expected] of [
    ['c000024d', 0, '1c00000000000000000000000800000000000000c000024d00000000'],
    ['20010db8000000000000000000000077', 0, '2400000000000000290000003200000020010db800000000000000000000007700000000'],
    ['fe800000000000000000000000000077', 3, '24000000000000002900000032000000fe80000000000000000000000000007703000000'],
  ] as const) {
    const bytes = new Uint8Array(64).fill(0xa5);
    const room = writeSource(new DataView(bytes.buffer), 8, { address: Uint8Array.fromHex(hex), interfaceIndex });
    const length = expected.length / 2;
    assert.equal(bytes.subarray(8, 8 + length).toHex(), expected);
    assert.equal(room, (length + 7) & ~7);
  }
});
