/**
 * Whole devices against what a socket may bring: datagrams of strangers, of a man in the middle who turns bits, and of a peer that holds
 * a session and seals whatever it likes. An input is a list of datagrams, each with a head of two bytes: what is mended about it, and
 * its length. In the end the honest must still reach each other.
 */
import { TestCrypto } from './crypto.testing.ts';
import { couple, endpoint, fromA, fromB, type Host, ip, packet } from './net.testing.ts';
import { makeIdentity } from './noise.ts';

export const name = 'protocols/wireguard-device';

/** Bits of a datagram's first byte. */
const Mend = {
  /** For a session that lives. */
  index: 1,
  /** A right MAC1, which needs the public key alone: gets a handshake message as far as the curve. */
  mac1: 2,
  /** Sealed by the peer itself: what is inside is up to the bytes. */
  seal: 4,
  /** From the peer's own address. */
  peerAddress: 8,
  /** A true message of this conversation, with the bytes laid over it. */
  overTrue: 16,
} as const;

const HANDSHAKE_LENGTHS: { readonly [type: number]: number } = { 1: 148, 2: 92 };

const record = (mend: number, bytes: Uint8Array): number[] => [mend, bytes.length, ...bytes];
const typed = (type: number, length: number): Uint8Array =>
  new Uint8Array(length).fill(0x5a).fill(0, 1, 4).fill(type, 0, 1);
const from6 = packet('fd00::1', 'fd00::2', new Uint8Array(8));
export const seeds: readonly Uint8Array[] = [
  record(0, typed(1, 148)),
  record(Mend.mac1, typed(1, 148)),
  [...record(Mend.mac1 | Mend.index, typed(2, 92)), ...record(Mend.index, typed(3, 64))],
  [...record(Mend.index, typed(4, 32)), ...record(Mend.index | Mend.peerAddress, typed(4, 80))],
  record(Mend.seal, fromA()),
  record(Mend.seal | Mend.peerAddress, from6),
  record(Mend.seal, packet('10.9.9.9', '10.0.0.2', new Uint8Array(4))),
  record(Mend.seal, Uint8Array.of(0x45, 0, 0xff, 0xff)),
  [...record(Mend.overTrue, new Uint8Array(0)), ...record(Mend.overTrue, Uint8Array.of(1, 0, 0, 0, 7))],
].map((bytes) => Uint8Array.from(bytes));

/** Came in before the first datagram of an input, and must not again. */
const once = fromA('only once, whatever comes');

export function fuzzOne(bytes: Uint8Array): void {
  const { net, a, b, ba } = couple();
  a.say(once);
  net.at(100);
  const told = a.sent.map((one) => one.bytes);
  const crypto = new TestCrypto();
  const { mac1Key } = makeIdentity(crypto, b.privateKey);
  const stranger = endpoint('203.0.113.66:666');
  b.quiet();
  for (let at = 0, count = 0; at + 2 <= bytes.length && count < 16; count++) {
    const mend = bytes[at]!;
    const raw = bytes.slice(at + 2, at + 2 + bytes[at + 1]!);
    at += 2 + raw.length;
    let datagram: Uint8Array = raw;
    if ((mend & Mend.overTrue) !== 0) {
      datagram = told[count % told.length]!.slice();
      datagram.set(raw.subarray(0, datagram.length));
    } else if ((mend & Mend.seal) !== 0) datagram = sealed(a, raw);
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
    const type = datagram[0] ?? 0;
    const indexAt = type === 2 ? 8 : 4;
    if ((mend & Mend.index) !== 0 && datagram.length >= indexAt + 4)
      view.setUint32(indexAt, ba.current!.localIndex, true);
    if ((mend & Mend.mac1) !== 0 && datagram.length === HANDSHAKE_LENGTHS[type]) {
      const macAt = datagram.length - 32;
      datagram.set(crypto.macBlake2s(mac1Key, datagram.subarray(0, macAt)), macAt);
    }
    check(b, datagram, (mend & Mend.peerAddress) !== 0 ? a.endpoint : stranger);
  }
  // A session peer's own address may have moved with what it sealed; it moves back with the next true packet.
  net.at(200);
  b.quiet();
  a.say(fromA('still here'));
  net.at(20_000);
  if (b.delivered.length !== 1) throw new Error('the honest peer is not heard any more');
  a.quiet();
  b.say(fromB('so am I'));
  net.at(40_000);
  if (a.delivered.length !== 1) throw new Error('the honest peer cannot be answered any more');
}

/** `hear` itself looks that nothing beside the datagram is touched. */
function check(b: Host, datagram: Uint8Array, from: ReturnType<typeof endpoint>): void {
  const before = b.delivered.length;
  const result = b.hear(datagram, from);
  if (!Number.isInteger(result) || result > Math.max(0, datagram.length - 32))
    throw new Error(`${datagram.length} bytes gave ${result}`);
  if (Number.isNaN(b.device.wakeAt())) throw new Error('there is no next time');
  if (result <= 0) return;
  const inner = b.delivered[before]!.bytes;
  if (inner.toHex() === once.toHex()) throw new Error('a packet came in twice');
  const four = inner[0]! >>> 4 === 4;
  const source = four ? inner.subarray(12, 16) : inner.subarray(8, 24);
  const allowed = ip(four ? '10.0.0.1' : 'fd00::1');
  if (source.toHex() !== allowed.toHex()) throw new Error(`a packet from ${source.toHex()} came in`);
}

/** What the peer's own keys make of any bytes; empty where its mind refuses to. */
function sealed(a: Host, inner: Uint8Array): Uint8Array {
  const peer = [...a.device.peers()][0]!;
  const region = new Uint8Array(64 + inner.length + 64);
  region.set(inner, 64);
  const length = a.device.send(peer, region, new DataView(region.buffer), 64, inner.length, 1420, a.clock, a);
  return length > 0 ? region.slice(48, 48 + length) : new Uint8Array(0);
}
