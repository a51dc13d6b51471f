/** Where the paper is silent, and Linux and wireguard-go agree on what is done. To be read after paper.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BOOK,
  bookInitiates,
  crypto,
  flood,
  keepalives,
  key,
  NO_PSK,
  ofType,
  ready,
  STRANGER,
  withBook,
  within,
} from './book-world.testing.ts';
import { cookieIn, initiate, mac1Of, mac2Of, seal } from './by-the-book.testing.ts';
import { WireguardDrop } from './drops.ts';
import { couple, endpoint, fromB, packet, prefix } from './net.testing.ts';
import { tai64n } from './tai64n.ts';

test('kernel: initiations of one peer closer than 1/50 s are a flood', () => {
  const { net, a, bookKey } = withBook();
  const at = a.clock.unixMs;
  const hear = (n: number): number =>
    a.hear(initiate(bookKey, a.device.publicKey, n, key(n), tai64n(at + 100 * n), NO_PSK).message, BOOK);
  assert.equal(hear(1), 0);
  net.at(19);
  assert.equal(hear(2), -WireguardDrop.initiationFlood);
  net.at(20);
  assert.equal(hear(3), 0);
});

test('kernel: behind a good cookie an address has 5 handshakes at once and 20 a second', () => {
  const { net, a, bookKey } = withBook(null, true);
  net.at(10_000);
  flood(a);
  const at = a.clock.unixMs;
  let cookie: Uint8Array = new Uint8Array(16);
  const verdicts: number[] = [];
  for (let n = 0; n < 9; n++) {
    const { message } = initiate(bookKey, a.device.publicKey, n, key(n + 1), tai64n(at), NO_PSK);
    if (n > 0) message.set(mac2Of(cookie, message), 132);
    verdicts.push(a.hear(message, BOOK));
    if (n === 0) cookie = cookieIn(ofType(a, 3), a.device.publicKey, message.slice(116, 132))!.slice();
  }
  assert.equal(verdicts[0], -WireguardDrop.cookieNeeded);
  assert.deepEqual(
    verdicts.slice(-3),
    [5, 5, 5].map(() => -WireguardDrop.rateLimited),
  );
  assert.equal(verdicts.filter((one) => one === -WireguardDrop.rateLimited).length, 3);
});

test('kernel: persistent keepalive counts from the last traffic either way, and starts at once', () => {
  const { net, a, b } = couple();
  a.device.setPeer({ publicKey: b.device.publicKey, persistentKeepaliveSeconds: 25 }, a.now);
  net.at(100);
  assert.deepEqual(a.timesOf(1), [0]);
  a.quiet();
  net.at(20_000);
  b.say(fromB());
  net.at(60_000);
  // 10 s after b's word the passive one, then every 25 s.
  const times = keepalives(a);
  assert.equal(times.length, 2);
  within(times[0], 30_000, 30_010);
  within(times[1], 55_000, 55_020);
});

test('roaming by any message that is authentic and fresh; an initiation alone is only answered where it came from', () => {
  const { net, a, peer, bookKey } = withBook();
  const session = bookInitiates(a, bookKey, a.clock.unixMs);
  const elsewhere = endpoint('[2001:db8::5]:555');
  assert.equal(a.hear(seal(session, 0, new Uint8Array(0)), elsewhere), 0);
  assert.deepEqual(peer.endpoint, elsewhere);
  net.at(100);
  const started = initiate(bookKey, a.device.publicKey, 9, key(9), tai64n(a.clock.unixMs + 500), NO_PSK);
  const next = started.message;
  const forged = next.slice();
  forged[100]! ^= 1;
  forged.set(mac1Of(a.device.publicKey, forged), 116);
  assert.equal(a.hear(forged, STRANGER), -WireguardDrop.notAuthentic);
  assert.deepEqual(peer.endpoint, elsewhere);
  a.quiet();
  assert.equal(a.hear(next, BOOK), 0);
  // Linux moves here already; but it may be a recording that we have forgotten (README, "Where a peer is").
  assert.deepEqual([peer.endpoint, a.sent.map((one) => one.to)], [elsewhere, [BOOK.text]]);
  assert.equal(a.hear(seal(started.finish(ofType(a, 2)), 0, new Uint8Array(0)), BOOK), 0);
  assert.deepEqual(peer.endpoint, BOOK);
});

test('kernel: a prefix belongs to one peer; given to another it moves', () => {
  const { a, peer } = withBook();
  const other = a.device.setPeer(
    { publicKey: crypto.publicKey(key(0x33)), allowedIps: [prefix('10.0.0.2/32')] },
    a.now,
  )!;
  assert.deepEqual(a.device.allowedIps(peer), []);
  assert.equal(a.device.route(Uint8Array.of(10, 0, 0, 2), 0, 4), other);
});

test('kernel: padding never goes beyond the MTU, and what is padded arrives trimmed', () => {
  const { net, a, b } = ready();
  for (const [bytes, mtu, datagram] of [
    [1420, 1420, 1452],
    [1409, 1420, 1452],
    [1400, 1420, 1440],
  ] as const) {
    assert.equal(a.say(packet('10.0.0.1', '10.0.0.2', new Uint8Array(bytes - 20)), mtu), datagram);
    net.at(net.now + 10);
    assert.equal(b.delivered.at(-1)?.bytes.length, bytes);
  }
});

test('kernel: our own public key as a peer is ignored; an all-zero secret aborts the handshake', () => {
  const { a } = withBook();
  assert.equal(a.device.setPeer({ publicKey: a.device.publicKey }, a.now), null);
  // A point of small order as the ephemeral key.
  const message = new Uint8Array(148);
  message[0] = 1;
  message.set(mac1Of(a.device.publicKey, message), 116);
  assert.equal(a.hear(message, STRANGER), -WireguardDrop.weakKey);
  assert.deepEqual(a.sent, []);
});
