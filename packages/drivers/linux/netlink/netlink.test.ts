import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { addAddress, removeAddress } from './address.ts';
import { setLink } from './link.ts';
import { ask, type NetlinkSocket, parseAck } from './message.ts';
import { addRoute, removeRoute } from './route.ts';

function prefix(text: string) {
  const parsed = parseInterfaceAddress(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

// Written down by hand from rtnetlink(7) and the kernel's headers; tests/host-interface.test.ts has a kernel read them.
const rows: readonly (readonly [string, Uint8Array, string])[] = [
  [
    'a link goes up with an MTU',
    setLink(7, 1420, true),
    '280000001000050000000000000000000000000007000000010000000100000008000400 8c050000',
  ],
  [
    'an IPv4 address',
    addAddress(7, prefix('10.99.0.1/24')),
    '280000001400050600000000000000000218000007000000 080002000a630001 080001000a630001',
  ],
  [
    'an IPv6 address, without asking who has it',
    addAddress(7, prefix('fd99::1/64')),
    '40000000140005060000000000000000 0a400200 07000000 14000200fd990000000000000000000000000001 14000100fd990000000000000000000000000001',
  ],
  [
    'an IPv4 address goes',
    removeAddress(7, prefix('10.99.0.1/24')),
    '280000001500050000000000000000000218000007000000 080002000a630001 080001000a630001',
  ],
  [
    'an IPv4 route',
    addRoute(7, prefix('10.77.0.0/24')),
    '2c000000180005060000000000000000 02180000fe76fd0100000000 080001000a4d0000 0800040007000000',
  ],
  [
    'an IPv6 route goes',
    removeRoute(7, prefix('fd77::/64')),
    '38000000190005000000000000000000 0a400000fe76000100000000 14000100fd770000000000000000000000000000 0800040007000000',
  ],
  [
    'a default route has no destination',
    addRoute(7, prefix('0.0.0.0/0')),
    '24000000180005060000000000000000 02000000fe76fd0100000000 0800040007000000',
  ],
];

for (const [title, bytes, hex] of rows)
  test(title, () => {
    assert.equal(bytes.toHex(), hex.replaceAll(' ', ''));
    assert.equal(new DataView(bytes.buffer).getUint32(0, true), bytes.length);
  });

function ack(error: number): Uint8Array {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, 2, true);
  view.setInt32(16, error, true);
  return bytes;
}

test('answers: done, refused, and what is none', () => {
  assert.equal(parseAck(ack(0)), 0);
  assert.equal(parseAck(ack(-17)), 17);
  assert.equal(parseAck(ack(5)), null);
  assert.equal(parseAck(ack(0).subarray(0, 19)), null);
  assert.equal(parseAck(ack(0).subarray(0, 35)), null, 'it says that it is longer');
  const other = ack(0);
  other[4] = 3;
  assert.equal(parseAck(other), null);
});

test('what the kernel refuses is a problem with a code', () => {
  const says = (error: number): NetlinkSocket => ({ exchange: () => ack(error), indexOf: () => 1 });
  const codes = [0, -1, -17, -19, -13].map((error) => ask(says(error), new Uint8Array(0), 'x')?.code ?? null);
  assert.deepEqual(codes, [null, 'port.denied', 'object.exists', 'plane.failed', 'plane.failed']);
  assert.equal(ask(says(-3), new Uint8Array(0), 'x', [3]), null);
});
