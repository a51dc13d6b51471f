/** What strangers may send: anything. Nothing throws, nothing gets in, and the honest go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { TestCrypto } from './crypto.testing.ts';
import { WireguardDrop } from './drops.ts';
import { couple, endpoint, fromA, fromB } from './net.testing.ts';
import { makeIdentity } from './noise.ts';

const stranger = endpoint('203.0.113.66:666');

test('random bytes of every length, with every type', () => {
  const { net, a, b, ba } = couple();
  a.say(fromA());
  net.at(100);
  const session = ba.current!;
  b.quiet();
  const dice = seededRng(5);
  for (let length = 0; length <= 200; length++) {
    for (let type = 0; type <= 6; type++) {
      const bytes = new Uint8Array(length);
      dice.fill(bytes);
      if (type > 0) bytes.set([type, 0, 0, 0].slice(0, length));
      // Half of them for an index that lives.
      const view = new DataView(bytes.buffer);
      if (dice.uint32() % 2 === 0 && length >= 12) view.setUint32(type === 2 ? 8 : 4, session.localIndex, true);
      assert.ok(b.hear(bytes, stranger) < 0, `${length} bytes of type ${type}`);
    }
  }
  assert.deepEqual([b.delivered, b.sent], [[], []]);
  assert.equal(ba.endpoint?.text, a.endpoint.text);
  assert.equal(ba.current, session);
  b.say(fromB());
  net.at(200);
  assert.equal(a.delivered.length, 1);
});

test('true messages with a bit turned, a byte less or more', () => {
  const { net, a, b, ab, ba } = couple();
  a.say(fromA());
  net.at(100);
  assert.ok(b.say(fromB()) > 0);
  const all = [...a.sent.map((one) => [b, one.bytes] as const), ...b.sent.map((one) => [a, one.bytes] as const)];
  assert.deepEqual(all.map(([, bytes]) => bytes[0]).sort(), [1, 2, 4, 4]);
  const dice = seededRng(6);
  // Held back from the network until the mutants have been tried.
  net.clear();
  a.quiet();
  b.quiet();
  for (const [host, bytes] of all) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const mutant = bytes.slice();
      mutant[bit >> 3]! ^= 1 << (bit & 7);
      assert.ok(host.hear(mutant, stranger) < 0, `type ${bytes[0]} bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length++)
      assert.ok(host.hear(bytes.slice(0, length), stranger) < 0, `type ${bytes[0]} of ${length}`);
    const longer = new Uint8Array(bytes.length + 1 + (dice.uint32() % 40));
    longer.set(bytes);
    assert.ok(host.hear(longer, stranger) < 0);
  }
  assert.deepEqual([a.delivered, b.delivered, a.sent, b.sent], [[], [], [], []]);
  assert.deepEqual([ab.endpoint?.text, ba.endpoint?.text], [b.endpoint.text, a.endpoint.text]);
  // The packet that was held back still comes in.
  assert.ok(a.hear(all.find(([host, bytes]) => host === a && bytes[0] === 4)![1], b.endpoint) > 0);
});

/** MAC1 is no secret: whoever knows the public key can make it. */
function withMac1(bytes: Uint8Array, privateKey: Uint8Array): Uint8Array {
  const crypto = new TestCrypto();
  const at = bytes.length - 32;
  const mended = new Uint8Array(bytes);
  mended.set(crypto.macBlake2s(makeIdentity(crypto, privateKey).mac1Key, mended.subarray(0, at)), at);
  return mended;
}

test('forgeries with a right MAC1 fail at the tags, and the true message still counts', () => {
  const { net, a, b, ab, ba } = couple();
  a.say(fromA());
  const [initiation] = a.sent;
  net.clear();
  for (let at = 8; at < 116; at += 4) {
    const mutant = initiation!.bytes.slice();
    mutant[at]! ^= 1;
    const verdict = -b.hear(withMac1(mutant, b.privateKey), stranger);
    assert.ok(verdict === WireguardDrop.notAuthentic || verdict === WireguardDrop.weakKey, `${at}: ${verdict}`);
  }
  assert.deepEqual([b.sent, ba.next, ba.rxBytes], [[], null, 0]);
  assert.equal(b.hear(initiation!.bytes, a.endpoint), 0);
  const [response] = b.sent;
  net.clear();
  for (let at = 12; at < 60; at += 4) {
    const mutant = response!.bytes.slice();
    mutant[at]! ^= 1;
    assert.equal(a.hear(withMac1(mutant, a.privateKey), stranger), -WireguardDrop.notAuthentic, String(at));
  }
  assert.deepEqual([ab.current, ab.endpoint?.text], [null, b.endpoint.text]);
  assert.equal(a.hear(response!.bytes, b.endpoint), 0);
  net.at(100);
  assert.equal(b.delivered.length, 1);
});

test('a replayed initiation is silent', () => {
  const { net, a, b } = couple();
  a.say(fromA());
  net.at(100);
  b.quiet();
  assert.equal(b.hear(a.sent[0]!.bytes, stranger), -WireguardDrop.oldTimestamp);
  assert.deepEqual(b.sent, []);
});

test('an initiation recorded earlier takes no traffic after a restart, and is old once the timestamp is given back', () => {
  const { net, a, b } = couple();
  a.say(fromA());
  net.at(1000);
  const { bytes } = a.sent.find((one) => one.type === 1)!;
  const timestamp = b.device.peer(a.device.publicKey)!.receivedTimestamp.slice();

  // It remembers nothing but where a was, and greets it there.
  b.restart();
  let ba = b.knows(a, ['10.0.0.1/32', 'fd00::1/128']);
  b.device.greet(ba, b.now);
  b.quiet();
  net.at(1100);
  assert.ok(ba.current);
  assert.equal(b.hear(bytes, stranger), 0, 'to us it is new');
  b.say(fromB());
  assert.deepEqual(b.sent.at(-1)?.to, a.endpoint.text);
  net.at(1200);
  assert.equal(a.delivered.length, 1);

  // Before the greeting is answered it is the same.
  b.restart();
  ba = b.knows(a, ['10.0.0.1/32', 'fd00::1/128']);
  assert.equal(b.hear(bytes, stranger), 0);
  assert.equal(b.say(fromB()), 0);
  net.at(1300);
  assert.equal(a.delivered.length, 2);
  assert.equal(ba.endpoint?.text, a.endpoint.text);

  b.restart();
  const receivedTimestamp = timestamp;
  ba = b.device.setPeer({ publicKey: a.device.publicKey, receivedTimestamp }, b.now)!;
  assert.equal(b.hear(bytes, stranger), -WireguardDrop.oldTimestamp);
  assert.equal(ba.endpoint, null);
  // An older one takes nothing back, and the next true one is heard.
  b.device.setPeer({ publicKey: a.device.publicKey, receivedTimestamp: new Uint8Array(12) }, b.now);
  assert.equal(b.hear(bytes, stranger), -WireguardDrop.oldTimestamp);
  a.device.greet(a.device.peer(b.device.publicKey)!, a.now);
  net.at(8000);
  assert.ok(ba.current);
});

test('a peer that moves and starts anew from there is followed with the first packet of the new session', () => {
  const { net, a, b, ba } = couple();
  a.say(fromA());
  net.at(10_000);
  a.endpoint = endpoint('192.0.2.111:11');
  a.device.greet(a.device.peer(b.device.publicKey)!, a.now);
  net.at(10_001);
  assert.equal(ba.endpoint?.text, '192.0.2.1:1001');
  net.at(10_010);
  assert.equal(ba.endpoint?.text, a.endpoint.text);
  b.say(fromB());
  net.at(10_020);
  assert.equal(a.delivered.length, 1);
});

test('a replayed response does nothing', () => {
  const { net, a, b, ab } = couple();
  a.say(fromA());
  net.at(100);
  const session = ab.current;
  assert.equal(a.hear(b.sent[0]!.bytes, stranger), -WireguardDrop.unknownIndex);
  assert.equal(ab.current, session);
});

test('an initiation by an unknown key gets no answer', () => {
  const { net, a, b } = couple();
  b.device.removePeer(a.device.publicKey);
  a.say(fromA());
  net.at(100);
  assert.deepEqual([b.verdicts, b.sent], [[-WireguardDrop.unknownPeer], []]);
});

test('initiations of one peer come at most every 20 ms', () => {
  const { net, a, b, ab } = couple();
  for (const [at, verdict] of [
    [0, 0],
    [18, -WireguardDrop.initiationFlood],
    [36, 0],
  ] as const) {
    net.at(at);
    ab.lastInitiationSentAt = Number.NEGATIVE_INFINITY;
    a.quiet();
    a.device.setPeer({ publicKey: ab.publicKey, presharedKey: new Uint8Array(32).fill(at + 1) }, a.now);
    a.say(fromA());
    net.clear();
    assert.equal(b.hear(a.sent.find((one) => one.type === 1)!.bytes, a.endpoint), verdict, String(at));
  }
});

test('a response for the wrong pre-shared key is refused and the handshake stays open', () => {
  const { net, a, b, ab } = couple();
  b.device.setPeer({ publicKey: a.device.publicKey, presharedKey: new Uint8Array(32).fill(1) }, b.now);
  a.say(fromA());
  net.at(100);
  assert.deepEqual(a.verdicts, [-WireguardDrop.notAuthentic]);
  assert.ok(ab.pending);
});

test('a peer key that makes a secret of zeros is never answered or called', () => {
  const { net, a } = couple();
  const weak = a.device.setPeer({ publicKey: new Uint8Array(32), endpoint: stranger }, a.now)!;
  const bytes = new Uint8Array(128);
  assert.equal(a.device.send(weak, bytes, new DataView(bytes.buffer), 16, 20, 1420, a.clock, a), 0);
  net.at(200_000);
  assert.deepEqual(a.sent, []);
  assert.equal(a.device.silentDrops[WireguardDrop.stagedGivenUp], 1);
});

test('inner packets that lie about their length are refused', () => {
  const { net, a, b } = couple();
  a.say(fromA());
  net.at(100);
  b.quiet();
  const cases: Uint8Array[] = [];
  for (const total of [0, 19, 49, 0xffff]) {
    const bytes = fromA('0123456789');
    new DataView(bytes.buffer).setUint16(2, total);
    cases.push(bytes);
  }
  const version = fromA();
  version[0] = 0x55;
  cases.push(version);
  const six = new Uint8Array(48);
  six.set([0x60, 0, 0, 0, 0, 9]);
  cases.push(six, new Uint8Array(30).fill(0x60, 0, 1), new Uint8Array(1));
  for (const bytes of cases) {
    const region = new Uint8Array(200);
    region.set(bytes, 64);
    const peer = a.device.peer(b.device.publicKey)!;
    const length = a.device.send(peer, region, new DataView(region.buffer), 64, bytes.length, bytes.length, a.clock, a);
    assert.equal(b.hear(region.slice(48, 48 + length), a.endpoint), -WireguardDrop.innerMalformed);
  }
});
