import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import fc from 'fast-check';
import { noControl } from './control.ts';
import { AF_INET, AF_INET6, EndpointTable, readEndpoint, writeSockaddr } from './sockaddr.ts';

const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);
const port = fc.integer({ min: 0, max: 65_535 });

function arena(): DataView {
  return new DataView(new Uint8Array(64).fill(0xa5).buffer);
}

it('writes the structs as the kernel has them', () => {
  const view = arena();
  const bytes = new Uint8Array(view.buffer);
  assert.equal(writeSockaddr(view, 4, AF_INET, Uint8Array.of(192, 0, 2, 1), 51820, 0), 16);
  assert.equal(bytes.subarray(4, 12).toHex(), '0200ca6cc0000201');
  const six = Uint8Array.fromHex('fe800000000000000000000000000001');
  assert.equal(writeSockaddr(view, 32, AF_INET6, six, 1, 7), 28);
  assert.equal(bytes.subarray(32, 60).toHex(), '0a00000100000000fe80000000000000000000000000000107000000');
  assert.equal(writeSockaddr(view, 32, AF_INET6, Uint8Array.of(192, 0, 2, 1), 1, 0), 28);
  assert.equal(bytes.subarray(32, 60).toHex(), '0a0000010000000000000000000000000000ffffc000020100000000');
  assert.equal(writeSockaddr(view, 32, AF_INET, six, 1, 0), 0);
});

it('reads back what it wrote, IPv4 as IPv4 on both kinds of socket', () => {
  fc.assert(
    fc.property(address, port, fc.constantFrom(AF_INET, AF_INET6), (bytes, number, family) => {
      const mapped = bytes.length === 16 && bytes.subarray(0, 12).toHex() === '00000000000000000000ffff';
      if ((family === AF_INET && bytes.length === 16) || mapped) return;
      const view = arena();
      writeSockaddr(view, 8, family, bytes, number, 0);
      assert.deepEqual(readEndpoint(view, 8), makeEndpoint(bytes, number));
    }),
  );
});

it('the table gives one object per sockaddr, through growth and after many others', () => {
  const view = arena();
  const table = new EndpointTable(view, 0x1234_5678);
  const at = (i: number): ReturnType<EndpointTable['at']> => {
    writeSockaddr(view, 0, AF_INET, Uint8Array.of(10, i >>> 16, i >>> 8, i), 1000 + (i % 3), 0);
    return table.at(0, noControl().local);
  };
  const first = Array.from({ length: 5000 }, (_, i) => at(i));
  assert.equal(table.size, 5000);
  for (let i = 0; i < 5000; i++) assert.equal(at(i), first[i]);
  assert.equal(first[4321]!.text, `10.0.16.225:${1000 + (4321 % 3)}`);
});

it('forged sources cannot make the table grow without end', () => {
  const view = arena();
  const table = new EndpointTable(view, 1);
  for (let i = 0; i < 150_000; i++) {
    writeSockaddr(view, 0, AF_INET, Uint8Array.of(10, i >>> 16, i >>> 8, i), 1, 0);
    const { address: bytes } = table.at(0, noControl().local);
    assert.equal((bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!, i);
  }
  assert.ok(table.size <= 65_536);
});

it('remembers the interface of link-local peers, and of no others', () => {
  const view = arena();
  const table = new EndpointTable(view, 1);
  const near = Uint8Array.fromHex('fe800000000000000000000000000001');
  writeSockaddr(view, 0, AF_INET6, near, 1, 3);
  const three = table.at(0, noControl().local);
  writeSockaddr(view, 0, AF_INET6, near, 1, 4);
  const four = table.at(0, noControl().local);
  assert.deepEqual([table.scopeOf(three), table.scopeOf(four)], [3, 4]);
  assert.equal(table.scopeOf(makeEndpoint(near, 1)), 0);
});
