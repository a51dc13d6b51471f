import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '@vrouter/core/time.ts';
import { WIREGUARD_DROPS, WireguardDrop } from './drops.ts';
import { couple, endpoint, fromA, fromB, Net, packet, prefix } from './net.testing.ts';

const texts = (host: { delivered: { bytes: Uint8Array }[] }): string[] =>
  host.delivered.map(({ bytes }) => new TextDecoder().decode(bytes.subarray(bytes[0]! >>> 4 === 4 ? 20 : 40)));

test('every reason has a number of its own', () => {
  const numbers = Object.values(WireguardDrop);
  assert.deepEqual(
    [...numbers].sort((a, b) => a - b),
    [...new Array(WIREGUARD_DROPS).keys()],
  );
});

test('packets wait for the handshake, arrive in order, trimmed, both ways and families', () => {
  const { net, a, b, ab, ba } = couple();
  for (const text of ['1', '22', '333']) assert.equal(a.say(fromA(text)), 0);
  net.at(10);
  assert.deepEqual(texts(b), ['1', '22', '333']);
  assert.equal(b.delivered[0]?.peer, ba);
  assert.ok(b.say(fromB('4444')) > 0);
  assert.ok(a.say(packet('fd00::1', 'fd00::2', new Uint8Array(3))) > 0);
  net.at(20);
  assert.deepEqual(texts(a), ['4444']);
  assert.equal(b.delivered.at(-1)?.bytes.length, 43);
  assert.deepEqual([ab.txPackets, ab.rxPackets, ba.txPackets, ba.rxPackets], [4, 1, 1, 4]);
  assert.equal(ab.txBytes, ba.rxBytes);
  assert.equal(ab.rxBytes, ba.txBytes);
  assert.ok(ab.lastHandshakeUnixMs !== null && ba.lastHandshakeUnixMs !== null);
});

test('padding fills up to 16, never beyond the MTU', () => {
  const { net, a } = couple();
  a.say(fromA());
  net.at(10);
  for (const [length, mtu, total] of [
    [20, 1420, 32 + 32],
    [32, 1420, 32 + 32],
    [1419, 1420, 1420 + 32],
    [1409, 1420, 1420 + 32],
    [1420, 1420, 1420 + 32],
    [1500, 1420, 1500 + 32],
  ] as const)
    assert.equal(a.say(packet('10.0.0.1', '10.0.0.2', new Uint8Array(length - 20)), mtu), total, `${length} ${mtu}`);
  assert.equal(a.say(new Uint8Array(65_500).fill(0x45, 0, 1).fill(10, 16, 17).fill(2, 19, 20)), -WireguardDrop.tooLong);
});

test('a responder sends nothing with new keys before they are confirmed', () => {
  const { net, a, b, ba } = couple();
  a.say(fromA());
  net.at(1);
  net.clear();
  assert.equal(ba.next !== null && ba.current === null, true);
  assert.equal(b.say(fromB()), 0);
  assert.equal(b.sent.at(-1)?.type, 1);
});

test('two that start at once need no second round', () => {
  const { net, a, b, ab, ba } = couple();
  a.say(fromA());
  b.say(fromB());
  net.at(10);
  assert.deepEqual(texts(a), ['pong']);
  assert.deepEqual(texts(b), ['ping']);
  a.quiet();
  b.quiet();
  net.at(60_000);
  assert.deepEqual([...a.timesOf(1), ...b.timesOf(1)], []);
  assert.ok(ab.current && ba.current);
});

test('renewals that cross lose nothing, although each end still seals with a session that the other keeps as its previous one', () => {
  const { net, a, b, ab, ba } = couple();
  a.say(fromA());
  b.say(fromB());
  for (const t of [60_000, 110_000, 130_000, 260_000]) {
    net.at(t);
    a.say(fromA(`a ${t}`));
    b.say(fromB(`b ${t}`));
  }
  net.at(261_000);
  assert.deepEqual([ab.current?.initiator, ba.current?.initiator], [true, true], 'they did cross');
  assert.deepEqual(texts(b).slice(1), ['a 60000', 'a 110000', 'a 130000', 'a 260000']);
  assert.deepEqual(texts(a).slice(1), ['b 60000', 'b 110000', 'b 130000', 'b 260000']);
});

test('roaming: a peer is where its last authentic message came from', () => {
  const { net, a, b, ba } = couple();
  a.say(fromA());
  net.at(10);
  a.endpoint = endpoint('[2001:db8::77]:7');
  a.say(fromA('moved'));
  net.at(20);
  assert.equal(ba.endpoint?.text, '[2001:db8::77]:7');
  b.say(fromB('found you'));
  net.at(30);
  assert.deepEqual(texts(a), ['found you']);
  // A replay from elsewhere, and a forgery, do not move it.
  const last = a.sent.findLast((one) => one.type === 4)!;
  assert.equal(b.hear(last.bytes, endpoint('203.0.113.9:9')), -WireguardDrop.replay);
  const forged = last.bytes.slice();
  forged[20]! ^= 1;
  assert.equal(b.hear(forged, endpoint('203.0.113.9:9')), -WireguardDrop.notAuthentic);
  assert.equal(ba.endpoint?.text, '[2001:db8::77]:7');
});

test('a peer nobody has seen cannot be written to, until it calls', () => {
  const net = new Net(3);
  const a = net.host('a', '192.0.2.1:1');
  const b = net.host('b', '192.0.2.2:2');
  a.knows(b, ['10.0.0.2/32']);
  b.knows(a, ['10.0.0.1/32'], true);
  assert.equal(b.say(fromB()), -WireguardDrop.noEndpoint);
  a.say(fromA());
  net.at(10);
  assert.ok(b.say(fromB()) > 0);
  net.at(20);
  assert.deepEqual(texts(a), ['pong']);
});

test('inner sources are held to the allowed IPs', () => {
  const { net, a, b, ba } = couple();
  a.say(packet('10.0.0.66', '10.0.0.2', new Uint8Array(4)));
  a.say(packet('fd00::66', 'fd00::2', new Uint8Array(4)));
  net.at(10);
  assert.deepEqual(b.delivered, []);
  assert.equal(b.verdicts.filter((one) => one === -WireguardDrop.sourceNotAllowed).length, 2);
  assert.equal(ba.rxPackets, 0);
  b.device.setPeer({ publicKey: a.device.publicKey, allowedIps: [prefix('10.0.0.66/32')] }, b.now);
  a.say(packet('10.0.0.66', '10.0.0.2', new Uint8Array(4)));
  a.say(fromA());
  net.at(20);
  assert.equal(b.delivered.length, 1);
});

test('an update that says nothing new disturbs nothing', () => {
  const { net, a, b, ab } = couple();
  a.say(fromA());
  net.at(10);
  const session = ab.current;
  const update = { publicKey: b.device.publicKey, presharedKey: null, allowedIps: [prefix('10.0.0.2/32')] };
  assert.equal(a.device.setPeer({ ...update, endpoint: null, persistentKeepaliveSeconds: 0 }, a.now), ab);
  a.device.setPrivateKey(a.privateKey, a.now);
  assert.equal(ab.current, session);
  assert.equal(ab.endpoint?.text, b.endpoint.text);
  assert.ok(a.say(fromA('still')) > 0);
  net.at(20);
  assert.deepEqual(texts(b), ['ping', 'still']);
  assert.deepEqual(a.device.allowedIps(ab), [prefix('10.0.0.2/32')]);
});

test('a new pre-shared key counts from the next handshake on: the session goes on, and nobody shakes hands for it', () => {
  const { net, a, b, ab, ba } = couple();
  a.say(fromA());
  net.at(10_000);
  const session = ab.current;
  a.quiet();
  b.quiet();
  const key = new Uint8Array(32).fill(9);
  // One side first: the other learns of it much later.
  b.device.setPeer({ publicKey: a.device.publicKey, presharedKey: key }, b.now);
  net.at(20_000);
  a.say(fromA('before'));
  net.at(60_000);
  a.device.setPeer({ publicKey: b.device.publicKey, presharedKey: key }, a.now);
  a.say(fromA('after'));
  net.at(60_010);
  assert.deepEqual(texts(b), ['before', 'after']);
  assert.deepEqual([a.timesOf(1), b.timesOf(1)], [[], []]);
  assert.equal(ab.current, session);
  // The session is renewed with the new key on both sides.
  net.at(121_000);
  a.say(fromA('renewed'));
  net.at(122_000);
  assert.deepEqual([a.timesOf(1).length, texts(b).at(-1)], [1, 'renewed']);
  assert.notEqual(ab.current, session);
  assert.ok(ab.current?.maySend && ba.current?.maySend);
});

test('a pre-shared key on one side alone: the session lives to its end, and nothing is confirmed after it', () => {
  const { net, a, b } = couple();
  a.say(fromA());
  net.at(10);
  b.device.setPeer({ publicKey: a.device.publicKey, presharedKey: new Uint8Array(32).fill(9) }, b.now);
  net.at(110_000);
  a.say(fromA('lives'));
  net.at(110_010);
  assert.deepEqual(texts(b), ['ping', 'lives']);
  net.at(190_000);
  b.quiet();
  a.say(fromA('without'));
  net.at(220_000);
  assert.deepEqual(texts(b), []);
  assert.ok(a.verdicts.includes(-WireguardDrop.notAuthentic));
});

test('a handshake that is under way begins anew with the new pre-shared key', () => {
  const { net, a, b, ab } = couple();
  const presharedKey = new Uint8Array(32).fill(9);
  b.device.setPeer({ publicKey: a.device.publicKey, presharedKey }, b.now);
  a.say(fromA());
  net.at(3000);
  assert.deepEqual(texts(b), []);
  a.device.setPeer({ publicKey: b.device.publicKey, presharedKey }, a.now);
  net.at(12_000);
  assert.deepEqual(texts(b), ['ping']);
  assert.ok(ab.current?.maySend);
});

test('a removed peer leaves nothing: no keys, no routes, no timers', () => {
  const { net, a, b, ab } = couple();
  a.say(fromA());
  net.at(10);
  b.say(fromB());
  assert.ok(a.crypto.ciphers > 0);
  assert.equal(a.device.removePeer(b.device.publicKey), true);
  assert.equal(a.device.removePeer(b.device.publicKey), false);
  assert.equal(a.crypto.ciphers, 0);
  assert.equal(a.device.peer(b.device.publicKey), undefined);
  assert.equal(a.device.route(Uint8Array.of(10, 0, 0, 2), 0, 4), null);
  assert.equal(a.device.wakeAt(), Number.POSITIVE_INFINITY);
  assert.equal(ab.alive, false);
  net.at(20);
  assert.deepEqual(a.verdicts.slice(-1), [-WireguardDrop.unknownIndex]);
  b.quiet();
  net.at(30_000);
  assert.ok(b.timesOf(1).length > 0);
  assert.equal(a.verdicts.at(-1), -WireguardDrop.unknownPeer);
});

test('an answer to a peer that was removed meanwhile names nothing', () => {
  const { net, a, b } = couple();
  a.say(fromA());
  a.device.removePeer(b.device.publicKey);
  net.at(100);
  assert.deepEqual(a.verdicts, [-WireguardDrop.unknownIndex]);
  assert.equal(a.crypto.ciphers, 0);
  assert.equal(a.device.silentDrops[WireguardDrop.stagedGivenUp], 1);
});

test('an answer to an initiation that has been sent anew is late', () => {
  const { net, a, b, ab } = couple();
  net.weather = { ...net.weather, loss: 1 };
  a.say(fromA());
  net.at(6000);
  assert.equal(a.timesOf(1).length, 2);
  assert.equal(b.hear(a.sent[0]!.bytes, a.endpoint), 0);
  assert.equal(a.hear(b.sent[0]!.bytes, b.endpoint), -WireguardDrop.unknownIndex);
  net.at(6100);
  assert.equal(b.hear(a.sent[1]!.bytes, a.endpoint), 0);
  assert.equal(a.hear(b.sent[1]!.bytes, b.endpoint), 0);
  assert.ok(ab.current);
});

test('another private key ends what was agreed with the old one; a peer with our new public key goes', () => {
  const { net, a, b, ab, ba } = couple();
  a.say(fromA());
  net.at(10);
  const c = net.host('c', '192.0.2.3:3');
  a.knows(c, ['10.0.0.3/32']);
  a.device.setPrivateKey(c.privateKey, a.now);
  assert.equal(a.device.peerCount, 1);
  assert.equal(a.device.setPeer({ publicKey: c.device.publicKey }, a.now), null);
  assert.equal(ab.current?.maySend, false);
  // What is on its way is still opened.
  b.say(fromB());
  net.at(20);
  assert.equal(texts(a).at(-1), 'pong');
  b.device.removePeer(ba.publicKey);
  b.device.setPeer({ publicKey: a.device.publicKey, allowedIps: [prefix('10.0.0.1/32')] }, b.now);
  net.at(6000);
  a.say(fromA('new me'));
  net.at(6100);
  assert.equal(texts(b).at(-1), 'new me');
});

test('at most 128 packets wait, the newest; their loss is counted', () => {
  const { net, a, b, ab } = couple();
  for (let i = 0; i < 130; i++) a.say(fromA(String(i)));
  assert.equal(ab.staged.length, 128);
  assert.equal(a.device.silentDrops[WireguardDrop.stagedOverflow], 2);
  net.at(10);
  assert.deepEqual([texts(b).length, texts(b)[0], texts(b).at(-1)], [128, '2', '129']);
});

test('a clock that goes back does not lock us out while we run', () => {
  const { net, a, b, ab } = couple();
  a.say(fromA());
  net.at(10);
  a.skewMs = -3_600_000;
  net.at(200_000);
  a.say(fromA('after'));
  net.at(200_010);
  assert.equal(texts(b).at(-1), 'after');
  assert.ok(ab.current);
});

test('close erases every key', () => {
  const { net, a } = couple();
  a.say(fromA());
  net.at(10);
  a.device.close();
  assert.equal(a.crypto.ciphers, 0);
  assert.equal(a.device.wakeAt(), millis(Number.POSITIVE_INFINITY));
});
