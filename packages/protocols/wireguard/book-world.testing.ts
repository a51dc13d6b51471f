/** The stage of paper.test.ts and kernel-facts.test.ts: two hosts, or a host and the book. */
import assert from 'node:assert/strict';
import { initiate, type Session } from './by-the-book.testing.ts';
import { TestCrypto } from './crypto.testing.ts';
import { couple, endpoint, fromA, type Host, Net, prefix } from './net.testing.ts';
import { tai64n } from './tai64n.ts';

export const NO_PSK = new Uint8Array(32);
export const STRANGER = endpoint('203.0.113.7:7');
export const BOOK = endpoint('192.0.2.9:9');
export const crypto = new TestCrypto();
export const key = (fill: number): Uint8Array<ArrayBuffer> => new Uint8Array(32).fill(fill);
export const texts = (host: Host): string[] =>
  host.delivered.map(({ bytes }) => new TextDecoder().decode(bytes.subarray(20)));
export const keepalives = (host: Host): number[] =>
  host.sent.filter((one) => one.type === 4 && one.bytes.length === 32).map((one) => one.at);
export const ofType = (host: Host, type: number): Uint8Array<ArrayBuffer> => {
  const found = host.sent.findLast((one) => one.type === type);
  assert.ok(found, `nothing of type ${type} went out`);
  return found.bytes.slice();
};
export const within = (value: number | undefined, least: number, most: number): void =>
  assert.ok(value !== undefined && value >= least && value <= most, `${value} is not within ${least} to ${most}`);
export const word = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

/** A couple with a session that a started at 0, at rest since 100. */
export function ready(seed = 1) {
  const world = couple(seed);
  world.a.say(fromA());
  world.net.at(100);
  world.a.quiet();
  world.b.quiet();
  return world;
}

/** A host, and the book as its only peer, 10.0.0.2, at BOOK. */
export function withBook(psk: Uint8Array | null = null, blind = false) {
  const net = new Net(1);
  const a = net.host('a', '192.0.2.1:1001');
  const update = { publicKey: crypto.publicKey(key(0x42)), presharedKey: psk, allowedIps: [prefix('10.0.0.2/32')] };
  const peer = a.device.setPeer({ ...update, endpoint: blind ? null : BOOK }, a.now)!;
  return { net, a, peer, bookKey: key(0x42) };
}

/** The book initiates to the host and has a session with it. */
export function bookInitiates(a: Host, bookKey: Uint8Array, unixMs: number, psk = NO_PSK, index = 0xb00c): Session {
  const started = initiate(bookKey, a.device.publicKey, index, key(index & 0xff), tai64n(unixMs), psk);
  assert.equal(a.hear(started.message, BOOK), 0);
  return started.finish(ofType(a, 2));
}

/** Makes the host believe that it is flooded with handshakes. */
export function flood(target: Host): void {
  const { message } = initiate(key(0x77), target.device.publicKey, 1, key(0x78), tai64n(target.clock.unixMs), NO_PSK);
  for (let i = 0; i < 512; i++) target.hear(message, STRANGER);
  target.quiet();
}

/** Zeros up to a multiple of 16. */
export function padded(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array((bytes.length + 15) & ~15);
  out.set(bytes);
  return out;
}
