/** Under load: who cannot hear us gets no Diffie-Hellman. Sections 5.3 and 5.4.7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { millis } from '@vrouter/core/time.ts';
import { LOAD_QUEUE } from './constants.ts';
import { LoadMeter } from './cookies.ts';
import { TestCrypto } from './crypto.testing.ts';
import { WireguardDevice } from './device.ts';
import { WireguardDrop } from './drops.ts';
import { couple, endpoint, fromA, fromB, type Host } from './net.testing.ts';

/** Makes the host believe that it is flooded: one initiation again and again, its MAC1 right. */
function flood(target: Host, count = LOAD_QUEUE): void {
  const crypto = new TestCrypto();
  const rng = seededRng(99);
  const stranger = new WireguardDevice(crypto, rng, new Uint8Array(32).fill(3));
  const peer = stranger.setPeer({ publicKey: target.device.publicKey, endpoint: target.endpoint }, millis(0))!;
  let initiation = new Uint8Array(0);
  const bytes = new Uint8Array(64);
  stranger.send(peer, bytes, new DataView(bytes.buffer), 16, 1, 1420, target.clock, {
    datagram: (_to, buffer, at, length) => {
      initiation = buffer.slice(at, at + length);
    },
  });
  for (let i = 0; i < count; i++) target.hear(initiation, endpoint('203.0.113.1:1'));
}

test('load: many at once, sticky for a second, drained by time', () => {
  const meter = new LoadMeter();
  for (let i = 1; i < LOAD_QUEUE; i++) assert.equal(meter.arrived(millis(0)), false);
  assert.equal(meter.arrived(millis(0)), true);
  assert.equal(meter.arrived(millis(900)), true);
  assert.equal(meter.arrived(millis(1001)), false);
  // 400 a second for ever is no load; 1000 a second soon is.
  for (let t = 1002; t < 6000; t += 2.5) assert.equal(meter.arrived(millis(t)), false);
  let loaded = false;
  for (let t = 6000; t < 8000; t += 1) loaded = meter.arrived(millis(t));
  assert.equal(loaded, true);
});

test('a wrong MAC1 is no load, and gets no answer', () => {
  const { b } = couple();
  const junk = new Uint8Array(148);
  junk[0] = 1;
  for (let i = 0; i < 2 * LOAD_QUEUE; i++) assert.equal(b.hear(junk, endpoint('203.0.113.1:1')), -WireguardDrop.mac1);
  assert.deepEqual(b.sent, []);
});

test('under load a cookie comes instead, nothing is sent again at once, and the retry carries it', () => {
  const { net, a, b, ab } = couple();
  net.at(1000);
  flood(b);
  b.quiet();
  a.say(fromA());
  net.at(1500);
  assert.deepEqual(b.verdicts, [-WireguardDrop.cookieNeeded]);
  assert.deepEqual([b.timesOf(3).length, b.sent[0]?.bytes.length], [1, 64]);
  assert.ok(ab.cookie);
  assert.equal(a.timesOf(1).length, 1);
  net.at(5900);
  flood(b);
  net.at(7000);
  assert.deepEqual(a.timesOf(1).length, 2);
  assert.notEqual(a.sent[1]!.bytes.subarray(132).toHex(), '00'.repeat(16));
  assert.equal(b.delivered.length, 1);
});

test('a cookie is bound to the address it was sent to', () => {
  const { net, a, b } = couple();
  net.at(1000);
  flood(b);
  a.say(fromA());
  net.at(5900);
  flood(b);
  b.quiet();
  a.endpoint = endpoint('192.0.2.77:7');
  net.at(7000);
  assert.deepEqual(b.verdicts[0], -WireguardDrop.cookieNeeded);
  assert.equal(b.delivered.length, 0);
});

test('a cookie answers one message, and only a true one is taken', () => {
  const { net, a, b, ab } = couple();
  net.at(1000);
  flood(b);
  a.say(fromA());
  net.at(1001);
  const reply = b.sent.find((one) => one.type === 3 && one.to === a.endpoint.text)!;
  const forged = reply.bytes.slice();
  forged[40]! ^= 1;
  assert.equal(a.hear(forged, b.endpoint), -WireguardDrop.notAuthentic);
  assert.equal(ab.cookie, null);
  assert.equal(a.hear(reply.bytes, b.endpoint), 0);
  assert.equal(a.hear(reply.bytes, b.endpoint), -WireguardDrop.unasked);
  const stray = reply.bytes.slice();
  stray[4]! ^= 1;
  assert.equal(a.hear(stray, b.endpoint), -WireguardDrop.unknownIndex);
});

test('a cookie is used for 115 s and its secret for 120 s', () => {
  const { net, a, b, ab } = couple();
  net.at(1000);
  flood(b);
  a.say(fromA());
  net.at(6500);
  assert.ok(ab.current);
  for (const [at, used] of [
    [115_000, true],
    [117_000, false],
  ] as const) {
    net.at(at);
    a.quiet();
    ab.lastInitiationSentAt = Number.NEGATIVE_INFINITY;
    a.device.greet(ab, a.now);
    net.at(at + 1);
    assert.equal(a.sent[0]!.bytes.subarray(132).toHex() !== '00'.repeat(16), used, String(at));
  }
});

test('behind the cookie stands the rate limit', () => {
  const { net, a, b } = couple();
  net.at(1000);
  flood(b);
  a.say(fromA());
  net.at(5900);
  flood(b);
  net.at(6500);
  const withCookie = a.sent.findLast((one) => one.type === 1)!;
  b.quiet();
  flood(b);
  b.quiet();
  for (let i = 0; i < 7; i++) b.hear(withCookie.bytes, a.endpoint);
  assert.deepEqual(
    b.verdicts.map((one) => -one),
    [...new Array(5).fill(WireguardDrop.oldTimestamp), WireguardDrop.rateLimited, WireguardDrop.rateLimited],
  );
});

test('responses need a cookie under load too', () => {
  const { net, a, b } = couple();
  net.at(1000);
  b.say(fromB());
  flood(b);
  net.at(1100);
  assert.ok(b.verdicts.includes(-WireguardDrop.cookieNeeded));
  assert.ok(a.verdicts.length >= 2, 'the initiation and the cookie reply');
  assert.equal(a.verdicts.at(-1), 0);
  net.at(8000);
  assert.equal(a.delivered.length, 1);
});
