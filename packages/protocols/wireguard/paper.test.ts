/**
 * The WireGuard paper (NDSS 2017, revision of June 2020), sections 5.1 to 5.4.7 and 6.1 to 6.6, walked in order. The device is used
 * from outside; the other end is by-the-book.testing.ts where bytes matter. The other test files of this folder go deeper into single
 * parts; this one is to be read beside the paper.
 */
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
  padded,
  ready,
  STRANGER,
  texts,
  withBook,
  within,
  word,
} from './book-world.testing.ts';
import { answer, cookieIn, hearInitiation, initiate, mac1Of, mac2Of, seal, unseal } from './by-the-book.testing.ts';
import { WireguardDrop } from './drops.ts';
import { couple, endpoint, FAIR, fromA, fromB, packet } from './net.testing.ts';
import { tai64n } from './tai64n.ts';

test('5.1 silence is a virtue: who is not authenticated gets no answer, whatever it sends', () => {
  const { a } = withBook();
  // Another's static key, no MAC1, a MAC1 for somebody else, an unknown session.
  const unknown = initiate(key(0x55), a.device.publicKey, 1, key(2), tai64n(a.clock.unixMs), NO_PSK).message;
  assert.equal(a.hear(unknown, STRANGER), -WireguardDrop.unknownPeer);
  const wrongMac = unknown.slice();
  wrongMac.set(mac1Of(key(9), wrongMac), 116);
  assert.equal(a.hear(wrongMac, STRANGER), -WireguardDrop.mac1);
  assert.equal(
    a.hear(seal({ remote: 5, sends: key(1), receives: key(1) }, 0, fromB()), STRANGER),
    -WireguardDrop.unknownIndex,
  );
  assert.deepEqual(a.sent, []);
});

test('5.1 a replayed initiation changes nothing: timestamps of a peer only grow', () => {
  const { net, a, peer, bookKey } = withBook();
  const at = a.clock.unixMs;
  const first = initiate(bookKey, a.device.publicKey, 1, key(3), tai64n(at), NO_PSK).message;
  assert.equal(a.hear(first, BOOK), 0);
  const session = peer.next;
  a.quiet();
  net.at(1000);
  assert.equal(a.hear(first, STRANGER), -WireguardDrop.oldTimestamp);
  const older = initiate(bookKey, a.device.publicKey, 2, key(4), tai64n(at - 1000), NO_PSK).message;
  assert.equal(a.hear(older, STRANGER), -WireguardDrop.oldTimestamp);
  assert.deepEqual([a.sent, peer.next === session, peer.endpoint], [[], true, BOOK]);
  // Any later one is taken, after a restart of the initiator too: it needs a clock, not memory.
  assert.equal(a.hear(initiate(bookKey, a.device.publicKey, 3, key(5), tai64n(at + 20), NO_PSK).message, BOOK), 0);
});

test('5.2 the pre-shared key is mixed in: both or none, and one side alone has no session', () => {
  const psk = key(0xaa);
  const { a, peer, bookKey } = withBook(psk);
  const session = bookInitiates(a, bookKey, a.clock.unixMs, psk);
  assert.ok(a.hear(seal(session, 0, padded(fromB())), BOOK) > 0);
  assert.ok(peer.current);
  // The same without the key: the answer comes, and does not open.
  const other = withBook(psk);
  const started = initiate(other.bookKey, other.a.device.publicKey, 1, key(6), tai64n(other.a.clock.unixMs), NO_PSK);
  assert.equal(other.a.hear(started.message, BOOK), 0);
  assert.throws(() => started.finish(ofType(other.a, 2)), /does not open/);
});

test('5.3 under load, and only then, a handshake needs a cookie, bound to address and port, before any Diffie-Hellman', () => {
  const { net, a, peer, bookKey } = withBook(null, true);
  net.at(10_000);
  flood(a);
  const message = initiate(bookKey, a.device.publicKey, 77, key(7), tai64n(a.clock.unixMs), NO_PSK).message;
  assert.equal(a.hear(message, BOOK), -WireguardDrop.cookieNeeded);
  assert.deepEqual([peer.next, a.sent.map((one) => one.type)], [null, [3]]);
  const cookie = cookieIn(ofType(a, 3), a.device.publicKey, message.slice(116, 132));
  assert.ok(cookie);
  message.set(mac2Of(cookie, message), 132);
  // From another port, or another address, the cookie is worth nothing.
  for (const elsewhere of [endpoint('192.0.2.9:10'), endpoint('192.0.2.10:9')])
    assert.equal(a.hear(message, elsewhere), -WireguardDrop.cookieNeeded);
  assert.equal(a.hear(message, BOOK), 0);
  assert.ok(peer.next);
  // 5.3: with a MAC1 that is wrong not even a cookie goes out.
  a.quiet();
  message[116]! ^= 1;
  assert.equal(a.hear(message, BOOK), -WireguardDrop.mac1);
  assert.deepEqual(a.sent, []);
});

test('5.4 four messages: a type byte, three reserved zeros, exact lengths', () => {
  const { net, a, b } = couple();
  a.say(fromA('x'));
  net.at(50);
  assert.deepEqual([ofType(a, 1).length, ofType(b, 2).length, ofType(a, 4).length], [148, 92, 16 + 32 + 16]);
  for (const { bytes } of [...a.sent, ...b.sent]) {
    assert.deepEqual([...bytes.subarray(1, 4)], [0, 0, 0]);
    const reserved = bytes.slice();
    reserved[2] = 1;
    assert.equal(b.hear(reserved, STRANGER), -WireguardDrop.type);
    if (bytes[0] === 4) continue;
    assert.equal(b.hear(bytes.slice(0, -1), STRANGER), -WireguardDrop.length);
  }
});

test('5.4.1 one round trip; the initiator speaks first, and the responder not before it has heard that', () => {
  const { net, a, b, ab, ba } = couple();
  a.say(fromA());
  net.at(1);
  assert.deepEqual(
    b.sent.map((one) => one.type),
    [2],
  );
  assert.deepEqual([ba.current, ba.next !== null], [null, true]);
  // The responder has something to say, and may not: the answer may have been lost.
  assert.equal(b.say(fromB()), 0);
  assert.equal(b.sent.filter((one) => one.type === 4).length, 0);
  net.at(50);
  assert.ok(ab.current && ba.current);
  assert.deepEqual([texts(a), texts(b)], [['pong'], ['ping']]);
  // With nothing to send the initiator confirms by an empty packet.
  const quiet = couple(2);
  quiet.a.device.greet(quiet.ab, quiet.a.now);
  quiet.net.at(50);
  assert.deepEqual([quiet.a.sent.map((one) => one.type), keepalives(quiet.a).length], [[1, 4], 1]);
  assert.ok(quiet.ba.current);
});

test('5.4.2 first message: what stands in it, and where', () => {
  const { net, a, bookKey } = withBook();
  net.at(1234);
  a.say(fromA());
  const message = ofType(a, 1);
  const heard = hearInitiation(message, bookKey);
  assert.deepEqual(heard.static, new Uint8Array(a.device.publicKey));
  assert.deepEqual(heard.timestamp, tai64n(a.clock.unixMs));
  assert.deepEqual(message.slice(116, 132), mac1Of(crypto.publicKey(bookKey), message));
  assert.deepEqual(message.slice(132), new Uint8Array(16));
  // Nanoseconds tell only 1/60 of a second.
  assert.equal(new DataView(heard.timestamp.buffer).getUint32(8) % 2 ** 24, 0);
  // The next has another index, another ephemeral key and a later timestamp.
  net.at(8000);
  const again = ofType(a, 1);
  assert.notDeepEqual(again.slice(4, 8), message.slice(4, 8));
  assert.notDeepEqual(again.slice(8, 40), message.slice(8, 40));
  assert.ok(hearInitiation(again, bookKey).timestamp.toHex() > heard.timestamp.toHex());
});

test('5.4.3 second message: opened by the book, with and without a pre-shared key', () => {
  for (const psk of [null, key(0xee)]) {
    const { a, peer, bookKey } = withBook(psk);
    const session = bookInitiates(a, bookKey, a.clock.unixMs, psk ?? NO_PSK, 0x0abc_def0);
    const message = ofType(a, 2);
    assert.equal(word(message, 8), 0x0abc_def0);
    assert.equal(word(message, 4), peer.next?.localIndex);
    assert.deepEqual(message.slice(60, 76), mac1Of(crypto.publicKey(bookKey), message));
    assert.deepEqual(message.slice(76), new Uint8Array(16));
    assert.ok(a.hear(seal(session, 0, padded(fromB())), BOOK) > 0);
  }
});

test('5.4.3 an answer by the book is taken, once; one for another message, key or index is not', () => {
  const { a, peer, bookKey } = withBook();
  a.say(fromA());
  const heard = hearInitiation(ofType(a, 1), bookKey);
  const { message, session } = answer(heard, 0xcafe, key(0x21), NO_PSK);
  const wrongPsk = answer(heard, 0xcafe, key(0x21), key(1)).message;
  assert.equal(a.hear(wrongPsk, BOOK), -WireguardDrop.notAuthentic);
  const wrongIndex = answer({ ...heard, sender: heard.sender ^ 1 }, 0xcafe, key(0x21), NO_PSK).message;
  assert.equal(a.hear(wrongIndex, BOOK), -WireguardDrop.unknownIndex);
  assert.equal(a.hear(message, BOOK), 0);
  assert.equal(peer.current?.remoteIndex, 0xcafe);
  assert.equal(a.hear(message, BOOK), -WireguardDrop.unknownIndex);
  const data = ofType(a, 4);
  assert.equal(word(data, 4), 0xcafe);
  assert.deepEqual(new Uint8Array(unseal(session, data)!).slice(0, 24), fromA());
});

test('5.4.4 MAC1 always; MAC2 with the last cookie, zeros without', () => {
  const { net, a, bookKey } = withBook();
  a.say(fromA());
  const first = ofType(a, 1);
  assert.deepEqual(first.slice(132), new Uint8Array(16));
  // The book makes a cookie reply, XAEAD under its own public key.
  const cookie = key(0xc0).slice(0, 16);
  const cookieKey = crypto.blake2s(new TextEncoder().encode('cookie--'), crypto.publicKey(bookKey));
  const nonce = new Uint8Array(24).fill(3);
  const reply = new Uint8Array(64);
  reply[0] = 3;
  reply.set(first.slice(4, 8), 4);
  reply.set(nonce, 8);
  reply.set(crypto.xseal(cookieKey, nonce, cookie, first.slice(116, 132)), 32);
  assert.equal(a.hear(reply, BOOK), 0);
  net.at(6000);
  const second = ofType(a, 1);
  assert.notDeepEqual(second, first);
  assert.deepEqual(second.slice(132), mac2Of(cookie, second));
  // The cookie is good for 120 s, of which the last 5 are not used.
  a.quiet();
  net.at(125_000);
  a.say(fromA());
  net.at(131_000);
  assert.deepEqual(ofType(a, 1).slice(132), new Uint8Array(16));
});

test('5.4.5 two keys, one each way, both counters from 0', () => {
  const { a, bookKey } = withBook();
  const session = bookInitiates(a, bookKey, a.clock.unixMs);
  assert.ok(a.hear(seal(session, 0, padded(fromB())), BOOK) > 0);
  a.say(fromA());
  const data = ofType(a, 4);
  assert.equal(new DataView(data.buffer).getBigUint64(8, true), 0n);
  assert.ok(unseal(session, data));
  assert.equal(unseal({ ...session, receives: session.sends }, data), null);
});

test('5.4.6 data: little-endian counter one up each time, zero padding to 16, an empty one for keepalive', () => {
  const { a, bookKey } = withBook();
  const session = bookInitiates(a, bookKey, a.clock.unixMs);
  assert.equal(a.hear(seal(session, 0, new Uint8Array(0)), BOOK), 0);
  for (let counter = 0; counter < 20; counter++) {
    const inner = packet('10.0.0.1', '10.0.0.2', new Uint8Array(counter).fill(0x61));
    a.say(inner);
    const data = ofType(a, 4);
    assert.deepEqual([word(data, 8), word(data, 12), word(data, 4)], [counter, 0, 0xb00c]);
    const plain = new Uint8Array(unseal(session, data)!);
    assert.equal(plain.length % 16, 0);
    assert.deepEqual(plain.slice(0, inner.length), inner);
    assert.ok(plain.slice(inner.length).every((byte) => byte === 0));
    assert.ok(plain.length - inner.length < 16);
  }
});

test('5.4.6 a counter is taken once, out of order within the window, and never behind it', () => {
  const { a, bookKey } = withBook();
  const session = bookInitiates(a, bookKey, a.clock.unixMs);
  const hear = (counter: number): number => a.hear(seal(session, counter, padded(fromB())), BOOK);
  for (const counter of [5, 0, 3, 9000, 9000 - 8000]) assert.ok(hear(counter) > 0, `${counter}`);
  for (const counter of [5, 0, 3, 9000, 1000]) assert.equal(hear(counter), -WireguardDrop.replay);
  assert.equal(hear(700), -WireguardDrop.replay);
  // A forged one far ahead must not move the window.
  const forged = seal(session, 1_000_000, padded(fromB()));
  forged[30]! ^= 1;
  assert.equal(a.hear(forged, BOOK), -WireguardDrop.notAuthentic);
  assert.ok(hear(8999) > 0);
});

test("5.4.6 an inner packet from an address that is not the peer's goes no further", () => {
  const { a, peer, bookKey } = withBook();
  const session = bookInitiates(a, bookKey, a.clock.unixMs);
  const foreign = packet('10.0.0.3', '10.0.0.1', new Uint8Array(12));
  assert.equal(a.hear(seal(session, 0, foreign), BOOK), -WireguardDrop.sourceNotAllowed);
  assert.equal(a.hear(seal(session, 1, new Uint8Array(32)), BOOK), -WireguardDrop.innerMalformed);
  assert.deepEqual([a.delivered, peer.rxPackets], [[], 0]);
});

test("5.4.7 a cookie reply: for the sender's index, a random nonce, sealed with MAC1 as the associated data", () => {
  const { net, a, bookKey } = withBook(null, true);
  net.at(10_000);
  flood(a);
  const ask = (index: number): Uint8Array => {
    const { message } = initiate(bookKey, a.device.publicKey, index, key(8), tai64n(a.clock.unixMs), NO_PSK);
    assert.equal(a.hear(message, BOOK), -WireguardDrop.cookieNeeded);
    return message;
  };
  const asked = ask(0x1234_5678);
  const reply = ofType(a, 3);
  assert.deepEqual([reply.length, word(reply, 4)], [64, 0x1234_5678]);
  assert.equal(cookieIn(reply, a.device.publicKey, key(0).slice(0, 16)), null);
  const cookie = cookieIn(reply, a.device.publicKey, asked.slice(116, 132));
  assert.ok(cookie);
  // The same source: the same cookie under another nonce, until the secret changes after two minutes.
  const again = ask(2);
  assert.notDeepEqual(ofType(a, 3).slice(8, 32), reply.slice(8, 32));
  assert.deepEqual(cookieIn(ofType(a, 3), a.device.publicKey, again.slice(116, 132)), cookie);
  net.at(131_000);
  flood(a);
  const later = ask(3);
  assert.notDeepEqual(cookieIn(ofType(a, 3), a.device.publicKey, later.slice(116, 132)), cookie);
});

test('6.1 rekey after 2^60 messages by either end, reject after 2^64 - 2^13 - 1', () => {
  const { net, a, b, ab, ba } = ready();
  net.at(10_000);
  // The responder of the session, too.
  ba.current!.counter.set([0, 2 ** 28]);
  b.say(fromB());
  assert.deepEqual(b.timesOf(1), [10_000]);
  net.at(20_000);
  ab.current!.counter.set([0xffff_dffe, 0xffff_ffff]);
  assert.ok(a.say(fromA('last')) > 0);
  assert.equal(a.say(fromA('none')), 0);
  net.at(30_000);
  assert.ok(texts(b).includes('none'), 'with the next keys');
});

test('6.1 and 6.2 keys end at 180 s: nothing is sent or taken with them', () => {
  const { net, a, b, ab } = ready();
  const old = ab.current;
  net.at(100);
  a.say(fromA('early'));
  const data = ofType(a, 4);
  net.weather = { ...FAIR, loss: 1 };
  net.at(180_100);
  assert.equal(a.say(fromA('late')), 0);
  assert.equal(b.hear(data, a.endpoint), -WireguardDrop.expired);
  assert.equal(ab.current, old);
});

test('6.2 the initiator renews: sending after 120 s, or receiving after 165 s; the responder does not', () => {
  const sending = ready();
  sending.net.at(119_900);
  sending.a.say(fromA());
  assert.deepEqual(sending.a.timesOf(1), []);
  sending.net.at(120_100);
  sending.a.say(fromA());
  sending.b.say(fromB());
  assert.deepEqual([sending.a.timesOf(1), sending.b.timesOf(1)], [[120_100], []]);

  // Only listening: b speaks for the first time when the session is old.
  for (const [age, renewed] of [
    [164_900, []],
    [165_100, [165_100]],
  ] as const) {
    const { net, a, b } = couple(2);
    a.say(fromA());
    net.at(age - 1);
    a.quiet();
    b.quiet();
    b.say(fromB());
    net.at(age + 100);
    assert.deepEqual(texts(a), ['pong']);
    assert.deepEqual([a.timesOf(1).map((time) => time - (time % 100)), b.timesOf(1)], [renewed, []]);
  }
});

test('6.2 only one initiation per 5 s, however many packets ask', () => {
  const { net, a } = couple();
  net.weather = { ...FAIR, loss: 1 };
  for (let t = 0; t <= 30_000; t += 50) {
    net.at(t);
    a.say(fromA());
  }
  const times = a.timesOf(1);
  within(times.length, 5, 7);
  for (let i = 1; i < times.length; i++) assert.ok(times[i]! - times[i - 1]! >= 5000);
});

test('6.3 rotation: the old session still opens what is on its way; after 540 s without a new one every key is erased', () => {
  const { net, a, b, ab, ba } = ready();
  const old = ab.current;
  net.at(120_200);
  b.say(fromB('on its way'));
  const late = ofType(b, 4);
  net.clear();
  a.say(fromA());
  net.at(120_300);
  assert.deepEqual([ab.previous, ab.current === old], [old, false]);
  assert.ok(a.hear(late, b.endpoint) > 0);
  assert.ok(ba.previous);
  // Quiet from now on.
  net.at(120_300 + 539_000);
  assert.ok(a.crypto.ciphers > 0);
  net.at(120_300 + 541_000);
  assert.deepEqual([ab.current, ab.previous, ab.next, a.crypto.ciphers, b.crypto.ciphers], [null, null, null, 0, 0]);
});

test('6.4 an initiation is sent again 5 s and up to 333 ms later, made anew, and given up after 90 s', () => {
  const { net, a } = couple();
  net.weather = { ...FAIR, loss: 1 };
  a.say(fromA());
  net.at(200_000);
  const times = a.timesOf(1);
  within(times.length, 17, 18);
  for (let i = 1; i < times.length; i++) within(times[i]! - times[i - 1]!, 5000, 5333);
  within(times.at(-1), 84_000, 90_000);
  const ephemerals = new Set(a.sent.map((one) => one.bytes.slice(8, 40).toHex()));
  assert.equal(ephemerals.size, times.length);
  // New traffic starts anew, at once.
  a.quiet();
  a.say(fromA());
  assert.deepEqual(a.timesOf(1), [200_000]);
});

test('6.5 passive keepalive: received and silent for 10 s, an empty packet; silent for 15 s after sending, a handshake', () => {
  const { net, a, b } = ready();
  // The first packet is answered by the keepalive at 10 s, and then both are silent for ever.
  net.at(100_000);
  assert.deepEqual([keepalives(b).length, keepalives(a).length], [1, 0]);
  within(keepalives(b)[0], 10_000, 10_100);
  // A keepalive is not answered by a keepalive; and nothing was wrong, so nobody shook hands.
  assert.deepEqual([a.timesOf(1), b.timesOf(1)], [[], []]);
  net.weather = { ...FAIR, loss: 1 };
  a.say(fromA());
  a.quiet();
  net.at(130_000);
  within(a.timesOf(1)[0], 115_000, 115_333);
});

test('6.6 a cookie does not make the initiator send at once: the timer does, with MAC2', () => {
  const { net, a, b, ab, ba } = couple();
  net.at(20_000);
  flood(b);
  a.say(fromA());
  net.at(20_500);
  assert.deepEqual([a.timesOf(1), b.sent.map((one) => one.type)], [[20_000], [3]]);
  assert.ok(ab.cookie);
  // Still under load when the retry comes.
  net.at(25_000 - 1);
  flood(b);
  net.at(27_000);
  within(a.timesOf(1)[1], 25_000, 25_333);
  assert.notDeepEqual(ofType(a, 1).slice(132), new Uint8Array(16));
  assert.deepEqual(texts(b), ['ping']);
  assert.ok(ba.current);
});
