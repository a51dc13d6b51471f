/** Timelines of our own addresses: RFC 4862 section 5.4, RFC 5227 section 2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { StationDrop } from './drops.ts';
import { Lan, mac, OURS } from './lan.testing.ts';

const seven = mac(7);
const EVERYBODY = 'ff:ff:ff:ff:ff:ff';

function add(lan: Lan, text: string): void {
  const parsed = parseInterfaceAddress(text);
  assert.ok(parsed.ok);
  lan.station.addAddress(parsed.value, lan.now);
}
const state = (lan: Lan): string => lan.station.own.all.map((own) => own.state).join(' ');

test('IPv4: ours at once, announced twice', () => {
  const lan = new Lan();
  add(lan, '192.168.1.1/24');
  lan.pass(10_000);
  const announcement = `${EVERYBODY} 192.168.1.1 asks for 192.168.1.1`;
  assert.deepEqual(lan.said, [`0 ${announcement}`, `2000 ${announcement}`]);
});

test('IPv6: asked for first, ours after a second of silence, announced twice', () => {
  const lan = new Lan();
  add(lan, 'fd88::1/64');
  lan.pass(999);
  assert.equal(state(lan), 'tentative');
  lan.pass(9001);
  assert.equal(state(lan), 'valid');
  const says = '33:33:00:00:00:01 fd88::1 says fd88::1';
  assert.deepEqual(lan.said, ['0 33:33:ff:00:00:01 :: asks for fd88::1', `1000 ${says}`, `3000 ${says}`]);
});

for (const [who, speak] of [
  ['has it', (lan: Lan) => lan.advertise(seven, 'fd88::1', { override: true })],
  ['wants it too', (lan: Lan) => lan.solicit(seven, '::', 'fd88::1', false)],
] as const)
  test(`IPv6: somebody ${who}, so it is not ours, and nobody is answered for it`, () => {
    const lan = new Lan();
    add(lan, 'fd88::1/64');
    lan.pass(500);
    assert.equal(speak(lan), StationDrop.conflict);
    lan.pass(10_000);
    assert.equal(state(lan), 'duplicate');
    assert.equal(lan.said.length, 1);
    assert.equal(lan.solicit(seven, 'fd88::7', 'fd88::1'), StationDrop.notOurs);
    lan.station.linkUp(lan.now);
    lan.pass(2000);
    assert.equal(state(lan), 'valid', 'the next time that the link comes up it is tried again');
  });

test('IPv6: an address that somebody has is asked for again every minute, and ours once they let it go', () => {
  const lan = new Lan();
  add(lan, 'fd88::1/64');
  lan.pass(500);
  lan.advertise(seven, 'fd88::1', { override: true });
  lan.pass(59_999);
  assert.deepEqual([state(lan), lan.said.length], ['duplicate', 1]);
  lan.pass(500);
  assert.deepEqual([state(lan), lan.said.length], ['tentative', 2]);
  lan.advertise(seven, 'fd88::1', { override: true });
  assert.equal(state(lan), 'duplicate');
  lan.pass(60_000 + 1000);
  assert.equal(state(lan), 'valid');
  const asks = lan.said.filter((one) => one.includes(':: asks for fd88::1')).map((one) => Number(one.split(' ')[0]));
  assert.equal(asks.length, 3);
});

test('questions are answered, to who asked', () => {
  const lan = new Lan().have('192.168.1.1/24', 'fd88::1/64');
  lan.arp('request', seven, '192.168.1.7', '192.168.1.1');
  lan.arp('request', mac(8), '0.0.0.0', '192.168.1.1');
  lan.solicit(seven, 'fd88::7', 'fd88::1');
  lan.solicit(mac(9), 'fd88::9', 'fd88::1', false);
  lan.solicit(mac(8), '::', 'fd88::1', false);
  assert.deepEqual(lan.said, [
    '10000 02:00:00:00:00:07 192.168.1.1 answers 192.168.1.7',
    '10000 02:00:00:00:00:08 192.168.1.1 answers 0.0.0.0',
    '10000 02:00:00:00:00:07 fd88::1 says fd88::1 as asked',
    '10000 02:00:00:00:00:09 fd88::1 says fd88::1 as asked',
    '10000 33:33:00:00:00:01 fd88::1 says fd88::1',
  ]);
  assert.equal(lan.knows('0.0.0.0'), null);
});

test('who claims our address hears from us, once in ten seconds, and is not learnt of', () => {
  const lan = new Lan().have('192.168.1.1/24');
  for (let i = 0; i < 30; i++) {
    assert.equal(lan.arp('request', seven, '192.168.1.1', '192.168.1.7'), StationDrop.conflict);
    lan.pass(500);
  }
  const announcement = `${EVERYBODY} 192.168.1.1 asks for 192.168.1.1`;
  assert.deepEqual(lan.said, [`10000 ${announcement}`, `20000 ${announcement}`]);
  assert.equal(lan.station.own.all[0]!.conflicts, 30);
  assert.equal(lan.knows('192.168.1.1'), null);
});

test('what we said ourselves and a loop brought back is nobody’s claim', () => {
  const lan = new Lan().have('192.168.1.1/24');
  assert.equal(lan.arp('request', OURS, '192.168.1.1', '192.168.1.1'), StationDrop.notOurs);
  assert.equal(lan.station.own.all[0]!.conflicts, 0);
});

test('a flood of questions is answered up to a rate', () => {
  const lan = new Lan().have('192.168.1.1/24');
  for (let ms = 0; ms < 100; ms++) {
    for (let i = 0; i < 100; i++) lan.arp('request', seven, '192.168.1.7', '192.168.1.1');
    lan.pass(1);
  }
  // A burst of 200, then 1000 a second.
  assert.ok(lan.said.length >= 290 && lan.said.length <= 305, `${lan.said.length} answers`);
});

test('an address that is taken away takes its neighbours along', () => {
  const lan = new Lan().have('192.168.1.1/24', '10.0.0.1/24');
  lan.arp('request', seven, '192.168.1.7', '192.168.1.1');
  lan.arp('request', seven, '10.0.0.7', '10.0.0.1');
  lan.station.removeAddress({ address: Uint8Array.of(10, 0, 0, 1), bits: 24 });
  assert.equal(lan.knows('10.0.0.7'), null);
  assert.notEqual(lan.knows('192.168.1.7'), null);
  lan.said.length = 0;
  assert.equal(lan.arp('request', seven, '10.0.0.7', '10.0.0.1'), StationDrop.notOurs);
  assert.deepEqual(lan.said, []);
});

test('one address with two lengths, or added twice, is ours until the last of them goes', () => {
  const lan = new Lan().have('192.168.1.1/32', '192.168.1.1/24', '192.168.1.1/24', 'fd88::1/64', 'fd88::1/64');
  const remove = (text: string): void => {
    const parsed = parseInterfaceAddress(text);
    assert.ok(parsed.ok);
    lan.station.removeAddress(parsed.value);
  };
  const isOurs = (): boolean => lan.station.own.find(Uint8Array.of(192, 168, 1, 1), 0, 4) !== null;
  const isOnLink = (): boolean => lan.station.own.isOnLink(Uint8Array.of(192, 168, 1, 9), 0, 4);
  remove('192.168.1.1/24');
  remove('fd88::1/64');
  assert.deepEqual([isOurs(), isOnLink(), lan.station.own.all.length], [true, true, 3]);
  remove('192.168.1.1/24');
  assert.deepEqual([isOurs(), isOnLink(), lan.station.own.all.length], [true, false, 2]);
  remove('192.168.1.1/32');
  remove('fd88::1/64');
  remove('192.168.1.1/32');
  assert.deepEqual([isOurs(), lan.station.own.all.length], [false, 0]);
});

test('thousands of addresses: each is answered for and announced, and then nothing is due', () => {
  const lan = new Lan().have('10.9.0.1/16');
  for (let i = 0; i < 5000; i++) add(lan, `10.9.${1 + (i >> 8)}.${i & 255}/32`);
  lan.pass(10_000);
  assert.equal(lan.said.length, 10_000);
  assert.equal(lan.station.wakeAt(), Number.POSITIVE_INFINITY);
  lan.said.length = 0;
  lan.arp('request', seven, '10.9.0.7', '10.9.20.5');
  assert.equal(lan.said.length, 1);
  assert.deepEqual(lan.station.own.sourceFor(Uint8Array.of(10, 9, 3, 3)), Uint8Array.of(10, 9, 0, 1));
});
