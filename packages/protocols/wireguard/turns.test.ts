/** Whose turn it is, and how often; then thousands of silent peers on a device. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { millis } from '@vrouter/core/time.ts';
import {
  INITIATIONS_AT_ONCE,
  INITIATIONS_PER_SECOND,
  INITIATIONS_PER_WAKE,
  PEERS_PER_TICK,
  URGENT_IN_A_ROW,
} from './constants.ts';
import { TestCrypto } from './crypto.testing.ts';
import { WireguardDevice } from './device.ts';
import { endpoint, fromA, Net, packet, prefix } from './net.testing.ts';
import type { WireguardCrypto } from './ports.ts';
import { InitiationPace, Place, type Queued, Turns } from './turns.ts';

class Item implements Queued<Item> {
  readonly name: string;
  place: Place = Place.none;
  ahead: Item | null = null;
  behind: Item | null = null;

  constructor(name: string) {
    this.name = name;
  }
}

const items = (kind: string, count: number): Item[] => Array.from({ length: count }, (_, i) => new Item(`${kind}${i}`));

/** Queues with no turn left. */
function exhausted() {
  const pace = new InitiationPace();
  while (pace.take(millis(0)));
  return { turns: new Turns<Item>(pace) };
}

/** Who has a turn until `end`, woken when they wish. */
function served(turns: Turns<Item>, end: number): string[] {
  const names: string[] = [];
  for (let at = turns.wakeAt(); at <= end; at = turns.wakeAt())
    for (let item = turns.next(millis(at)); item !== null; item = turns.next(millis(at))) names.push(item.name);
  return names;
}

test('some at once, then so many a second, and a long pause saves no more', () => {
  const pace = new InitiationPace();
  const taken = (at: number): number => {
    let count = 0;
    while (pace.take(millis(at))) count++;
    return count;
  };
  assert.equal(taken(1000), INITIATIONS_AT_ONCE);
  let count = 0;
  for (let at = 1000; at <= 11_000; at += 0.7) count += taken(at);
  assert.ok(Math.abs(count - 10 * INITIATIONS_PER_SECOND) <= 1, String(count));
  assert.equal(taken(1e6), INITIATIONS_AT_ONCE);
});

test('in the order of asking, some per wake', () => {
  const { turns } = exhausted();
  const all = items('p', 40);
  for (const item of all) assert.equal(turns.ask(item, millis(0), false), false);
  assert.equal(turns.wakeAt(), (INITIATIONS_PER_WAKE * 1000) / INITIATIONS_PER_SECOND);
  assert.equal(turns.next(millis(0)), null);
  assert.deepEqual(
    served(turns, 10_000),
    all.map((item) => item.name),
  );
  assert.deepEqual([turns.size, turns.wakeAt()], [0, Number.POSITIVE_INFINITY]);
});

test('the urgent go first, and every fourth turn is for the others', () => {
  const { turns } = exhausted();
  for (const item of items('p', 4)) turns.ask(item, millis(0), false);
  for (const item of items('u', 9)) turns.ask(item, millis(0), true);
  assert.equal(URGENT_IN_A_ROW, 3);
  assert.equal(served(turns, 1000).join(' '), 'u0 u1 u2 p0 u3 u4 u5 p1 u6 u7 u8 p2 p3');
});

test('who keeps asking urgently at the door does not starve those in the queue', () => {
  const { turns } = exhausted();
  const [waits] = items('p', 1) as [Item];
  turns.ask(waits, millis(0), false);
  let passed = 0;
  for (let at = 2; at < 1000 && waits.place !== Place.none; at += 2) {
    if (turns.ask(new Item('u'), millis(at), true)) passed++;
    else turns.next(millis(at));
  }
  assert.equal(waits.place, Place.none);
  assert.ok(passed <= URGENT_IN_A_ROW, String(passed));
});

test('who becomes urgent moves up, who leaves is not named, and nobody stands there twice', () => {
  const { turns } = exhausted();
  const [a, b, c] = items('p', 3) as [Item, Item, Item];
  for (const item of [a, b, c]) turns.ask(item, millis(0), false);
  turns.ask(c, millis(0), true);
  turns.ask(c, millis(0), false);
  turns.ask(c, millis(0), true);
  assert.equal(turns.size, 3);
  turns.leave(b);
  turns.leave(b);
  assert.deepEqual(new Set(served(turns, 1000)), new Set(['p0', 'p2']));
});

const SILENT = 3000;
const RETRY_MS = 5333;

/** A host with so many peers that never answer; the last ones have packets that wait. */
function manySilent(busy: number, cheap = true) {
  const net = new Net(7);
  const a = net.host('a', '192.0.2.1:1001');
  // Nobody will ever answer, so these need not be right; the real ones are a millisecond each.
  if (cheap) a.crypto.sharedSecret = (mine) => new Uint8Array(mine).fill(1);
  const at = endpoint('198.51.100.1:9');
  const keys = seededRng(3);
  for (let i = 0; i < SILENT; i++) {
    const publicKey = new Uint8Array(32);
    keys.fill(publicKey);
    publicKey[31]! &= 0x7f;
    const allowedIps = [prefix(`10.${1 + (i >> 8)}.${i & 255}.1/32`)];
    a.device.setPeer({ publicKey, endpoint: at, allowedIps, persistentKeepaliveSeconds: 25 }, a.now);
  }
  const peers = [...a.device.peers()];
  for (let i = SILENT - busy; i < SILENT; i++)
    a.say(packet('10.0.0.1', `10.${1 + (i >> 8)}.${i & 255}.1`, new Uint8Array(8)));
  return { net, a, peers };
}

test('no tick starts more than a few handshakes, however many are due', () => {
  const { a } = manySilent(0);
  let most = 0;
  let ticks = 0;
  // Time stands still: all that may be done now.
  for (; a.device.wakeAt() <= a.now; ticks++) {
    const before = a.sent.length;
    a.device.tick(a.clock, a);
    most = Math.max(most, a.sent.length - before);
  }
  assert.equal(most, INITIATIONS_AT_ONCE);
  assert.equal(ticks, Math.ceil(SILENT / PEERS_PER_TICK));
  assert.equal(a.sent.length, INITIATIONS_AT_ONCE);
});

test('thousands of silent peers: so many a second, everybody has a turn, and those with packets are first', () => {
  const busy = 100;
  const { net, a, peers } = manySilent(busy);
  net.at(1000);
  const started = (from: number, to: number): number =>
    peers.slice(from, to).filter((peer) => peer.lastInitiationSentAt >= 0).length;
  assert.ok(a.timesOf(1).length <= INITIATIONS_PER_SECOND + INITIATIONS_AT_ONCE);
  assert.equal(started(SILENT - busy, SILENT), busy);
  net.at(20_000);
  const perSecond = Array.from(
    { length: 20 },
    (_, s) => a.timesOf(1).filter((at) => at >= 1000 * s && at < 1000 * (s + 1)).length,
  );
  assert.ok(Math.max(...perSecond) <= INITIATIONS_PER_SECOND + INITIATIONS_AT_ONCE, String(perSecond));
  assert.equal(started(0, SILENT), SILENT);
  // A round takes longer than a retry; nobody is asked twice in a round for want of another.
  const round = (SILENT * 1000) / INITIATIONS_PER_SECOND;
  for (const peer of peers.slice(0, SILENT - busy))
    assert.ok(
      20_000 - peer.lastInitiationSentAt <= (4 / 3) * Math.max(round, RETRY_MS) + 1000,
      String(peer.lastInitiationSentAt),
    );
});

test('a peer that shakes hands meanwhile, or is removed, wants no turn', () => {
  const { net, a } = manySilent(0, false);
  const b = net.host('b', '192.0.2.2:1002');
  const ab = a.knows(b, ['10.0.0.2/32']);
  b.knows(a, ['10.0.0.1/32']);
  const gone = a.device.setPeer(
    { publicKey: new Uint8Array(32).fill(5), endpoint: b.endpoint, persistentKeepaliveSeconds: 9 },
    a.now,
  )!;
  a.device.tick(a.clock, a);
  a.say(fromA());
  assert.notEqual(ab.place, Place.none);
  while (a.device.wakeAt() <= a.now) a.device.tick(a.clock, a);
  assert.notEqual(gone.place, Place.none);
  a.device.removePeer(gone.publicKey);
  assert.equal(gone.place, Place.none);
  b.device.greet([...b.device.peers()][0]!, b.now);
  net.at(20);
  assert.ok(ab.current);
  assert.equal(ab.place, Place.none);
  assert.equal(b.delivered.length, 1);
});

test('devices of one thread share the pace', () => {
  const pace = new InitiationPace();
  const crypto: WireguardCrypto = new TestCrypto();
  let sent = 0;
  const sink = { datagram: () => void sent++ };
  const devices = [1, 2].map((n) => {
    const device = new WireguardDevice(crypto, seededRng(n), new Uint8Array(32).fill(n), null, undefined, pace);
    for (let i = 0; i < 20; i++) {
      const publicKey = crypto.publicKey(new Uint8Array(32).fill(100 + i));
      device.setPeer({ publicKey, endpoint: endpoint('192.0.2.9:9'), persistentKeepaliveSeconds: 25 }, millis(50));
    }
    return device;
  });
  for (const device of devices) device.tick({ now: millis(50), unixMs: 1 }, sink);
  assert.equal(sent, INITIATIONS_AT_ONCE);
});
