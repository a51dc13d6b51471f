import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ARP_LEN, ArpFault, ArpOperation, checkArp, emitArp, parseArp } from './arp.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const hex = '000108000604000102005e100002c0000202000000000000c0000201';
const message = {
  operation: ArpOperation.request,
  senderMac: Uint8Array.fromHex('02005e100002'),
  senderIp: Uint8Array.of(192, 0, 2, 2),
  targetMac: new Uint8Array(6),
  targetIp: Uint8Array.of(192, 0, 2, 1),
};

test('a request both ways, over 0xa5; padding is none of it', () => {
  const bytes = Uint8Array.fromHex(`${hex}0000`);
  assert.deepEqual(parseArp(bytes, viewOf(bytes), 0, bytes.length), message);
  const written = new Uint8Array(ARP_LEN + 4).fill(0xa5);
  emitArp(message, written, viewOf(written), 2);
  assert.equal(written.toHex(), `a5a5${hex}a5a5`);
});

for (const [why, at, byte, fault] of [
  ['another hardware', 1, 6, ArpFault.format],
  ['another protocol', 2, 0x86, ArpFault.format],
  ['longer MAC addresses', 4, 8, ArpFault.format],
  ['longer IP addresses', 5, 16, ArpFault.format],
  ['an operation of others', 7, 3, ArpFault.operation],
  ['a group that speaks', 8, 0xff, ArpFault.senderMac],
] as const)
  test(`refused: ${why}`, () => {
    const bytes = Uint8Array.fromHex(hex);
    assert.equal(checkArp(viewOf(bytes), 0, ARP_LEN), ArpFault.none);
    bytes[at] = byte;
    assert.equal(checkArp(viewOf(bytes), 0, ARP_LEN), fault);
  });

test('refused: cut short', () => {
  const bytes = Uint8Array.fromHex(hex);
  for (let length = 0; length < ARP_LEN; length++)
    assert.equal(checkArp(viewOf(bytes.subarray(0, length)), 0, length), ArpFault.short);
});
