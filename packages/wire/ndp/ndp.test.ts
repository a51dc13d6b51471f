import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '@vrouter/core/ip.ts';
import { finishChecksum, sumPseudoHeader, sumWords } from '../checksum/checksum.ts';
import {
  emitNeighbour,
  groupMac,
  isNdp,
  makeNdpMessage,
  NdpFault,
  NdpType,
  type NeighbourMessage,
  neighbourLen,
  readNdp,
  solicitedNode,
} from './ndp.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
function ip(text: string): Uint8Array {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
}
const mac = Uint8Array.fromHex('02005e100002');
const solicitation: NeighbourMessage = {
  type: NdpType.neighbourSolicitation,
  src: ip('fe80::2'),
  dst: solicitedNode(ip('2001:db8::1')),
  target: ip('2001:db8::1'),
  mac,
  solicited: false,
  override: false,
};
const advertisement: NeighbourMessage = {
  ...solicitation,
  type: NdpType.neighbourAdvertisement,
  dst: ip('fe80::1'),
  solicited: true,
  override: true,
};

function written(message: NeighbourMessage): Uint8Array {
  const bytes = new Uint8Array(neighbourLen(message)).fill(0xa5);
  emitNeighbour(message, bytes, viewOf(bytes), 0);
  return bytes;
}

/** The checksum as it should be after a change. */
function summed(bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  const length = view.getUint16(4);
  view.setUint16(42, 0);
  view.setUint16(42, finishChecksum(sumWords(view, 40, length, sumPseudoHeader(view, 8, 16, 58, length))));
  return bytes;
}

const read = (bytes: Uint8Array): number => readNdp(viewOf(bytes), 0, bytes.length, makeNdpMessage());

test('a solicitation, byte by byte (the checksum is by another program)', () => {
  assert.equal(
    written(solicitation).toHex(),
    `6000000000203aff${'fe800000000000000000000000000002'}${'ff0200000000000000000001ff000001'}` +
      `8700ed4e00000000${'20010db8000000000000000000000001'}010102005e100002`,
  );
});

test('both kinds come back as they went', () => {
  const found = makeNdpMessage();
  for (const message of [solicitation, advertisement, { ...advertisement, solicited: false, override: false }]) {
    const bytes = written(message);
    assert.ok(isNdp(viewOf(bytes), 0, bytes.length));
    assert.equal(readNdp(viewOf(bytes), 0, bytes.length, found), NdpFault.none);
    assert.equal(found.type, message.type);
    assert.deepEqual(bytes.subarray(found.targetAt, found.targetAt + 16), message.target);
    assert.deepEqual(bytes.subarray(found.macAt, found.macAt + 6), mac);
    const isAdvertisement = message.type === NdpType.neighbourAdvertisement;
    assert.deepEqual(
      [found.router, found.solicited, found.override, found.unspecified],
      [isAdvertisement, message.solicited, message.override, false],
    );
  }
});

test('who asks for its own address', () => {
  const probe = { ...solicitation, src: ip('::'), mac: null };
  const found = makeNdpMessage();
  const bytes = written(probe);
  assert.equal(readNdp(viewOf(bytes), 0, bytes.length, found), NdpFault.none);
  assert.deepEqual([found.unspecified, found.macAt], [true, -1]);
  assert.equal(read(written({ ...probe, dst: ip('2001:db8::1') })), NdpFault.destination);
  assert.equal(read(written({ ...probe, mac })), NdpFault.unspecified);
});

test('a router solicitation', () => {
  const bytes = new Uint8Array(56);
  bytes.set([0x60, 0, 0, 0, 0, 16, 58, 255]);
  bytes.set(ip('fe80::2'), 8);
  bytes.set(ip('ff02::2'), 24);
  bytes.set(Uint8Array.fromHex('8500000000000000010102005e100002'), 40);
  const found = makeNdpMessage();
  assert.equal(readNdp(viewOf(summed(bytes)), 0, bytes.length, found), NdpFault.none);
  assert.deepEqual([found.type, found.targetAt, found.macAt], [NdpType.routerSolicitation, -1, 50]);
});

for (const [why, fault, change] of [
  ['from beyond a router', NdpFault.hopLimit, (b: Uint8Array) => b.fill(254, 7, 8)],
  ['another code', NdpFault.code, (b: Uint8Array) => summed(b.fill(1, 41, 42))],
  ['a wrong checksum', NdpFault.checksum, (b: Uint8Array) => b.fill(1, 42, 43)],
  ['a group as target', NdpFault.target, (b: Uint8Array) => summed(b.fill(0xff, 48, 49))],
  ['nobody as target', NdpFault.target, (b: Uint8Array) => summed(b.fill(0, 48, 64))],
  ['an option without length', NdpFault.options, (b: Uint8Array) => summed(b.fill(0, 65, 66))],
  ['an option beyond the end', NdpFault.options, (b: Uint8Array) => summed(b.fill(2, 65, 66))],
  ['a group as MAC address', NdpFault.options, (b: Uint8Array) => summed(b.fill(0x33, 66, 67))],
  ['an advertisement of a router', NdpFault.type, (b: Uint8Array) => summed(b.fill(134, 40, 41))],
  ['a redirect', NdpFault.type, (b: Uint8Array) => summed(b.fill(137, 40, 41))],
] as const)
  test(`refused: ${why}`, () => {
    const bytes = written(solicitation);
    change(bytes);
    assert.equal(read(bytes), fault);
  });

test('refused: an answer to a group that says it was asked for', () => {
  assert.equal(read(written({ ...advertisement, dst: ip('ff02::1') })), NdpFault.destination);
});

test('refused: cut short, wherever', () => {
  const bytes = written(solicitation);
  for (let length = 0; length < bytes.length; length++) assert.equal(read(bytes.slice(0, length)), NdpFault.short);
  const short = bytes.slice(0, 60);
  viewOf(short).setUint16(4, 20);
  assert.equal(read(summed(short)), NdpFault.short);
});

test('the MAC address of a group', () => {
  assert.equal(groupMac(solicitedNode(ip('2001:db8::1234:5678'))).toHex(), '3333ff345678');
});
