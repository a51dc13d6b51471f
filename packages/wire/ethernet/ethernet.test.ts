import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ETHERNET_LEN, EtherType, emitEthernet, isGroupMac, isMac, parseEthernet } from './ethernet.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const dst = Uint8Array.fromHex('02005e100001');
const src = Uint8Array.fromHex('02005e100002');

for (const [title, hex, vlan] of [
  ['a plain header', '02005e10000102005e1000020800', null],
  ['a header with a tag', '02005e10000102005e100002810000640800', 100],
] as const)
  test(`${title} both ways, over 0xa5`, () => {
    const bytes = Uint8Array.fromHex(hex);
    const header = { dst, src, vlan, type: EtherType.ipv4, length: bytes.length };
    assert.deepEqual(parseEthernet(bytes, viewOf(bytes), 0, bytes.length), header);
    assert.equal(parseEthernet(bytes, viewOf(bytes), 0, bytes.length - 1), null);
    const written = new Uint8Array(bytes.length + 4).fill(0xa5);
    assert.equal(emitEthernet(written, viewOf(written), 2, dst, src, EtherType.ipv4, vlan), bytes.length);
    assert.equal(written.toHex(), `a5a5${hex}a5a5`);
  });

test('a priority is no VLAN', () => {
  const bytes = Uint8Array.fromHex('02005e10000102005e1000028100e0050806');
  assert.equal(parseEthernet(bytes, viewOf(bytes), 0, bytes.length)?.vlan, 5);
});

test('addresses of groups, and whose a frame is', () => {
  assert.equal(isGroupMac(Uint8Array.of(0xff), 0), true);
  assert.equal(isGroupMac(Uint8Array.of(0x33), 0), true);
  assert.equal(isGroupMac(dst, 0), false);
  const bytes = Uint8Array.fromHex('00ff02005e100001');
  assert.equal(isMac(bytes, 2, dst), true);
  assert.equal(isMac(bytes, 2, src), false);
  assert.equal(ETHERNET_LEN, 14);
});
