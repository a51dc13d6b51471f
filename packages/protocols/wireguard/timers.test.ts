/** Timelines: what goes out when, section 6 of the paper. Times are those of the simulated clock; a network hop takes 1 ms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { WireguardDrop } from './drops.ts';
import { couple, FAIR, fromA, fromB, type Host } from './net.testing.ts';
import { DeadlineHeap, type Timed } from './timers.ts';

const LOST = { ...FAIR, loss: 1 };
const within = (time: number | undefined, from: number, to: number): void =>
  assert.ok(time !== undefined && time >= from && time <= to, `${time} is not within ${from} to ${to}`);
const keepalives = (host: Host): number[] =>
  host.sent.filter((one) => one.type === 4 && one.bytes.length === 32).map((one) => one.at);

/** A couple with a session that a started at 0, at rest. */
function ready(seed = 1) {
  const world = couple(seed);
  world.a.say(fromA());
  world.net.at(100);
  world.a.quiet();
  world.b.quiet();
  return world;
}

test('a handshake is retried every 5 s and a little, with fresh keys, and given up after 90 s', () => {
  const { net, a, ab } = couple();
  net.weather = LOST;
  a.say(fromA());
  net.at(300_000);
  const times = a.timesOf(1);
  for (let i = 1; i < times.length; i++) within(times[i]! - times[i - 1]!, 5000, 5333);
  within(times.length, 17, 19);
  within(times.at(-1), 84_000, 90_000);
  const ephemerals = new Set(a.sent.map((one) => one.bytes.subarray(8, 40).toHex()));
  assert.equal(ephemerals.size, times.length);
  assert.deepEqual([ab.staged.length, a.device.silentDrops[WireguardDrop.stagedGivenUp]], [0, 1]);
  // New traffic starts over.
  a.quiet();
  net.weather = FAIR;
  a.say(fromA());
  net.at(300_010);
  assert.equal(a.timesOf(1)[0], 300_000);
  assert.ok(ab.current);
});

test('the address to send from is let go of when nobody answers: with the first retry, and after 15 s of silence', () => {
  const source = { address: Uint8Array.of(192, 0, 2, 77), interfaceIndex: 0 };
  const { net, a, ab } = couple();
  net.weather = LOST;
  ab.endpoint = { ...ab.endpoint!, source };
  a.say(fromA());
  net.at(4990);
  assert.equal(ab.endpoint.source, source);
  net.at(5400);
  assert.equal(ab.endpoint.source, null);

  const world = ready();
  world.net.weather = LOST;
  world.ab.endpoint = { ...world.ab.endpoint!, source };
  world.a.say(fromA());
  world.net.at(15_000);
  assert.equal(world.ab.endpoint.source, source);
  world.net.at(15_600);
  assert.equal(world.ab.endpoint.source, null);
});

test('while somebody keeps sending, the attempt is not given up', () => {
  const { net, a } = couple();
  net.weather = LOST;
  for (let t = 0; t < 200_000; t += 10_000) {
    net.at(t);
    a.say(fromA());
  }
  within(a.timesOf(1).at(-1), 185_000, 200_000);
});

test('two initiations lie at least 5 s apart, however much is to be sent', () => {
  const { net, a } = couple();
  net.weather = LOST;
  for (let t = 0; t < 20_000; t += 100) {
    net.at(t);
    a.say(fromA());
  }
  const times = a.timesOf(1);
  for (let i = 1; i < times.length; i++) assert.ok(times[i]! - times[i - 1]! >= 5000);
  assert.equal(times.length, 4);
});

test('who received and is silent says so after 10 s, once', () => {
  const { net, a, b } = ready();
  a.say(fromA());
  net.at(60_000);
  // The handshake's own first packet, at 3 ms, is answered first; the second came while that was due.
  assert.deepEqual(keepalives(b), [10_003, 20_003]);
  assert.deepEqual(keepalives(a), []);
  assert.deepEqual(a.timesOf(1), []);
});

test('an answer in time makes a keepalive needless', () => {
  const { net, a, b } = ready();
  b.say(fromB());
  net.at(8000);
  a.say(fromA());
  net.at(9000);
  b.say(fromB());
  net.at(15_000);
  assert.deepEqual([...keepalives(a), ...keepalives(b)], []);
  net.at(60_000);
  assert.deepEqual(keepalives(a), [19_001]);
});

test('15 s of silence after data went out: a new handshake', () => {
  const { net, a } = ready();
  net.at(20_000);
  net.weather = LOST;
  a.say(fromA());
  net.at(22_000);
  a.say(fromA());
  net.at(36_000);
  within(a.timesOf(1)[0], 35_000, 35_333);
});

test('the initiator renews a session of 120 s when it sends; the responder does not', () => {
  const { net, a, b } = ready();
  for (let t = 1000; t < 119_000; t += 5000) {
    net.at(t);
    a.say(fromA());
    b.say(fromB());
  }
  assert.deepEqual([...a.timesOf(1), ...b.timesOf(1)], []);
  net.at(125_000);
  assert.ok(b.say(fromB()) > 0);
  net.at(126_000);
  assert.deepEqual([...a.timesOf(1), ...b.timesOf(1)], []);
  assert.ok(a.say(fromA()) > 0);
  net.at(127_000);
  assert.deepEqual([a.timesOf(1), b.timesOf(1)], [[126_000], []]);
});

test('an initiator that only listens renews at 165 s, once', () => {
  const { net, a, b, ab } = ready();
  net.at(163_000);
  b.say(fromB());
  net.at(164_000);
  assert.deepEqual(a.timesOf(1), []);
  net.at(166_000);
  net.weather = LOST;
  b.quiet();
  for (let i = 0; i < 3; i++) b.say(fromB(String(i)));
  for (const one of b.sent) assert.ok(a.hear(one.bytes, b.endpoint) > 0);
  assert.deepEqual(a.timesOf(1), [166_000]);
  assert.equal(ab.refreshTried, true);
  // The next session gets its own chance.
  net.weather = FAIR;
  net.at(172_000);
  a.quiet();
  net.at(338_000);
  b.say(fromB());
  net.at(338_010);
  assert.deepEqual(a.timesOf(1), [338_001]);
});

test('a packet that comes late by a session already renewed asks for no new one', () => {
  const { net, a, b, ab } = ready();
  net.at(166_000);
  assert.ok(b.say(fromB('late')) > 0);
  const late = b.sent.at(-1)!;
  net.clear();
  a.say(fromA());
  net.at(167_000);
  assert.deepEqual(a.timesOf(1), [166_000]);
  assert.ok(ab.current!.createdAt >= 166_000 && ab.previous !== null);
  a.quiet();
  assert.ok(a.hear(late.bytes, b.endpoint) > 0);
  net.at(175_000);
  assert.deepEqual([a.timesOf(1), ab.refreshTried], [[], false]);
});

test('ten minutes of sleep, told by a clock that counts them: no key of before is used', () => {
  for (const counted of [true, false]) {
    const { net, a, b, ab } = ready();
    net.at(2000);
    a.sleep();
    net.at(602_000);
    a.wake(counted);
    a.quiet();
    // A clock that stands still meanwhile seals with keys that the other end has thrown away: why the engine reads another one.
    assert.equal(a.say(fromA()) > 0, !counted);
    net.at(603_000);
    assert.equal(b.delivered.length, counted ? 1 : 0);
    assert.equal(ab.current!.createdAt > 600_000, counted);
  }
});

test('no key is used after 180 s, for sending or receiving', () => {
  const { net, a, b, ba } = ready();
  net.at(179_000);
  assert.ok(b.say(fromB()) > 0);
  const late = b.sent.at(-1)!;
  net.clear();
  net.at(180_002);
  assert.equal(b.say(fromB()), 0);
  assert.equal(ba.staged.length, 1);
  assert.equal(a.hear(late.bytes, b.endpoint), -WireguardDrop.expired);
});

test('persistent keepalive: one at once, then one per interval of silence in either direction', () => {
  const { net, a, b } = ready();
  // Past the responder's answer to the first packet.
  net.at(11_000);
  a.device.setPeer({ publicKey: b.device.publicKey, persistentKeepaliveSeconds: 25 }, a.now);
  assert.equal(a.device.wakeAt(), 11_000);
  net.at(80_000);
  assert.deepEqual(keepalives(a), [11_000, 36_000, 61_000]);
  b.say(fromB());
  net.at(104_000);
  // b's packet wants a sign within 10 s, which puts off the next by as much.
  assert.deepEqual(keepalives(a).slice(3), [90_001]);
  a.device.setPeer({ publicKey: b.device.publicKey, persistentKeepaliveSeconds: 0 }, a.now);
  net.at(119_000);
  assert.equal(keepalives(a).length, 4);
});

test('persistent keepalive brings up a session by itself, and never gives up', () => {
  const { net, a, b, ba } = couple();
  a.device.setPeer({ publicKey: b.device.publicKey, persistentKeepaliveSeconds: 25 }, a.now);
  net.weather = LOST;
  net.at(1_000_000);
  assert.ok(a.timesOf(1).length > 100);
  net.weather = FAIR;
  net.at(1_060_000);
  assert.ok(ba.current);
  a.quiet();
  net.at(2_000_000);
  assert.ok(a.timesOf(1).length > 3, 'and renews it');
  assert.ok(b.device.wakeAt() > 2_000_000);
});

test('a shorter interval counts from now, a longer one from the next message', () => {
  const { net, a, b } = ready();
  net.at(11_000);
  const every = (seconds: number) =>
    a.device.setPeer({ publicKey: b.device.publicKey, persistentKeepaliveSeconds: seconds }, a.now);
  every(100);
  net.at(20_000);
  every(20);
  net.at(41_000);
  assert.deepEqual(keepalives(a), [11_000, 40_000]);
  every(30);
  net.at(100_000);
  assert.deepEqual(keepalives(a).slice(2), [60_000, 90_000]);
});

test('an endpoint that comes later starts the keepalive', () => {
  const { net, a, b, ba } = couple();
  a.device.removePeer(b.device.publicKey);
  a.device.setPeer({ publicKey: b.device.publicKey, persistentKeepaliveSeconds: 25 }, a.now);
  net.at(60_000);
  assert.deepEqual(a.sent, []);
  a.device.setPeer({ publicKey: b.device.publicKey, endpoint: b.endpoint }, a.now);
  net.at(60_010);
  assert.deepEqual(a.timesOf(1), [60_000]);
  assert.ok(ba.current);
});

test('all keys go 540 s after the last session, and then the device has nothing to wake for', () => {
  const { net, a, b, ab } = ready();
  net.at(539_000);
  assert.ok(ab.current);
  assert.ok(a.crypto.ciphers > 0);
  net.at(541_000);
  assert.deepEqual([ab.current, ab.previous, ab.next, ab.pending], [null, null, null, null]);
  assert.deepEqual([a.crypto.ciphers, b.crypto.ciphers], [0, 0]);
  assert.equal(a.device.wakeAt(), Number.POSITIVE_INFINITY);
  assert.equal(b.device.wakeAt(), Number.POSITIVE_INFINITY);
});

test('a session is renewed after 2^60 messages and ends at 2^64 - 2^13 - 1', () => {
  const { net, a, b, ab } = ready();
  net.at(10_000);
  ab.current!.counter.set([0xffff_fffe, 2 ** 28 - 1]);
  for (let i = 0; i < 2; i++) assert.ok(a.say(fromA()) > 0);
  assert.deepEqual([...ab.current!.counter], [0, 2 ** 28]);
  assert.deepEqual(a.timesOf(1), [10_000]);
  net.at(10_010);
  assert.deepEqual([...ab.current!.counter], [1, 0], 'a new session, confirmed with an empty packet');
  assert.equal(b.delivered.length, 2);

  const old = ab.current!;
  old.counter.set([0xffff_dffe, 0xffff_ffff]);
  assert.ok(a.say(fromA()) > 0);
  const last = a.sent.findLast((one) => one.type === 4)!;
  assert.equal(a.say(fromA()), 0);
  net.at(10_020);
  assert.equal(b.delivered.length, 3);
  // One further counter is refused even before it is opened.
  const beyond = last.bytes.slice();
  beyond[8]! += 1;
  assert.equal(b.hear(beyond, a.endpoint), -WireguardDrop.counterLimit);
});

test('the heap: lazy, and like a sorted list', () => {
  const dice = seededRng(11);
  const heap = new DeadlineHeap<Timed>();
  const items: Timed[] = [];
  for (let i = 0; i < 60; i++)
    items.push({ deadlines: new Float64Array(2).fill(Number.POSITIVE_INFINITY), heapIndex: -1 });
  let now = 0;
  for (let i = 0; i < 5000; i++) {
    const item = items[dice.uint32() % items.length]!;
    const which = dice.uint32() % 2;
    const what = dice.uint32() % 10;
    if (what < 6) {
      const at = now + (dice.uint32() % 100);
      item.deadlines[which] = at;
      heap.by(item, at);
    } else if (what < 8) item.deadlines[which] = Number.POSITIVE_INFINITY;
    else if (what === 8) {
      item.deadlines.fill(Number.POSITIVE_INFINITY);
      heap.remove(item);
    } else now += dice.uint32() % 50;
    const due = new Set(items.filter((one) => Math.min(...one.deadlines) <= now));
    for (;;) {
      const top = heap.takeDue(now);
      if (top === null) break;
      for (let j = 0; j < 2; j++) if (top.deadlines[j]! <= now) top.deadlines[j] = Number.POSITIVE_INFINITY;
      due.delete(top);
      heap.settle(top);
    }
    assert.equal(due.size, 0, 'all that was due came up');
    const earliest = Math.min(...items.flatMap((one) => [...one.deadlines]));
    assert.ok(heap.earliest() <= earliest);
    assert.equal(heap.size, items.filter((one) => one.heapIndex >= 0).length);
  }
});
