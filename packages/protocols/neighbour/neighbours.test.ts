/** Timelines of neighbours: RFC 4861 section 7, with ARP in the place of its messages for IPv4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELD_PER_NEIGHBOUR } from './constants.ts';
import { StationDrop } from './drops.ts';
import { Lan, mac } from './lan.testing.ts';
import { Waiting } from './station.ts';

const EVERYBODY = 'ff:ff:ff:ff:ff:ff';
const seven = mac(7);

test('IPv4: asked for three times, a second apart, then given up; packets that waited are told of', () => {
  const lan = new Lan().have('192.168.1.1/24');
  const tags = Array.from({ length: HELD_PER_NEIGHBOUR + 1 }, (_, i) => i + 1);
  for (const tag of tags) lan.send('192.168.1.7', tag);
  lan.pass(10_000);
  const ask = `${EVERYBODY} 192.168.1.1 asks for 192.168.1.7`;
  assert.deepEqual(lan.said, [`10000 ${ask}`, `11000 ${ask}`, `12000 ${ask}`]);
  assert.deepEqual(lan.lost, tags.slice(1), 'the newest, oldest first');
  assert.equal(lan.knows('192.168.1.7'), null);
});

test('an answer releases what waited, in order', () => {
  const lan = new Lan().have('192.168.1.1/24');
  assert.equal(lan.send('192.168.1.7', 1), Waiting.held);
  lan.send('192.168.1.7', 2);
  assert.equal(lan.arp('reply', seven, '192.168.1.7', '192.168.1.1'), StationDrop.none);
  assert.deepEqual(lan.said.slice(1), ['10000 02:00:00:00:00:07 packet 1', '10000 02:00:00:00:00:07 packet 2']);
  assert.equal(lan.send('192.168.1.7'), 'sent');
  assert.equal(lan.knows('192.168.1.7'), '02:00:00:00:00:07 reachable');
});

test('good for half a minute; then used on trust for five seconds, asked alone three times, and forgotten', () => {
  const lan = new Lan().have('192.168.1.1/24');
  lan.send('192.168.1.7');
  lan.arp('reply', seven, '192.168.1.7', '192.168.1.1');
  lan.said.length = 0;
  lan.pass(60_000);
  assert.deepEqual(lan.said, [], 'nobody is asked for whom nobody needs');
  assert.equal(lan.send('192.168.1.7'), 'sent');
  assert.equal(lan.knows('192.168.1.7'), '02:00:00:00:00:07 delay');
  lan.pass(20_000);
  const ask = '02:00:00:00:00:07 192.168.1.1 asks for 192.168.1.7';
  assert.deepEqual(lan.said, [`75000 ${ask}`, `76000 ${ask}`, `77000 ${ask}`]);
  assert.equal(lan.knows('192.168.1.7'), null);
});

test('an answer to the question makes it good again', () => {
  const lan = new Lan().have('192.168.1.1/24');
  lan.arp('request', seven, '192.168.1.7', '192.168.1.1');
  assert.equal(lan.knows('192.168.1.7'), '02:00:00:00:00:07 stale', 'who asks us is known, not confirmed');
  lan.send('192.168.1.7');
  lan.pass(5500);
  assert.equal(lan.knows('192.168.1.7'), '02:00:00:00:00:07 probe');
  lan.arp('reply', seven, '192.168.1.7', '192.168.1.1');
  assert.equal(lan.knows('192.168.1.7'), '02:00:00:00:00:07 reachable');
});

test('IPv6: the group of the address is asked, from an address of ours on that network', () => {
  const lan = new Lan().have('fe80::1/64', 'fd88::1/64');
  lan.send('fd88::7');
  lan.send('fe80::7');
  assert.deepEqual(lan.said, [
    '10000 33:33:ff:00:00:07 fd88::1 asks for fd88::7',
    '10000 33:33:ff:00:00:07 fe80::1 asks for fe80::7',
  ]);
  lan.advertise(seven, 'fd88::7', { solicited: true, override: true });
  assert.equal(lan.knows('fd88::7'), '02:00:00:00:00:07 reachable');
});

test('before an address of ours is ours nobody can be asked; the question comes a second later', () => {
  const lan = new Lan();
  lan.station.addAddress({ address: Uint8Array.fromHex('fd880000000000000000000000000001'), bits: 64 }, lan.now);
  lan.send('fd88::7');
  lan.pass(999);
  assert.deepEqual(lan.said, ['0 33:33:ff:00:00:01 :: asks for fd88::1']);
  lan.pass(1);
  assert.ok(lan.said.includes('1000 33:33:ff:00:00:07 fd88::1 asks for fd88::7'), lan.said.join('\n'));
});

// RFC 4861 section 7.2.5: what is known, what is said, what is known then.
for (const [title, known, said, then] of [
  ['as asked, same address', 'stale', { solicited: true }, '07 reachable'],
  ['unasked, same address', 'stale', { override: true }, '07 stale'],
  ['as asked, another that counts', 'stale', { solicited: true, override: true, from: 8 }, '08 reachable'],
  ['as asked, another that does not count', 'stale', { solicited: true, from: 8 }, '07 stale'],
  ['another that does not count', 'reachable', { solicited: true, from: 8 }, '07 stale'],
  ['unasked, another that counts', 'reachable', { override: true, from: 8 }, '08 stale'],
  ['without an address', 'stale', { solicited: true, bare: true }, '07 reachable'],
] as const)
  test(`an advertisement: ${title}`, () => {
    const lan = new Lan().have('fe80::1/64', 'fd88::1/64');
    if (known === 'stale') lan.solicit(seven, 'fd88::7', 'fd88::1');
    else {
      lan.send('fd88::7');
      lan.advertise(seven, 'fd88::7', { solicited: true });
    }
    assert.equal(lan.knows('fd88::7'), `02:00:00:00:00:07 ${known}`);
    const { from, ...how } = { from: 7, ...said };
    lan.advertise(mac(from), 'fd88::7', how);
    assert.equal(lan.knows('fd88::7'), `02:00:00:00:00:${then}`);
  });

test('nobody is learnt of but who speaks to us, and has an address of our networks', () => {
  const lan = new Lan().have('192.168.1.1/24', 'fe80::1/64', 'fd88::1/64');
  assert.equal(lan.arp('request', seven, '192.168.1.7', '192.168.1.9'), StationDrop.notOurs);
  assert.equal(lan.arp('request', seven, '192.168.1.7', '192.168.1.7'), StationDrop.notOurs);
  assert.equal(lan.arp('reply', seven, '192.168.1.7', '192.168.1.1'), StationDrop.notOurs);
  assert.equal(lan.arp('request', seven, '10.0.0.7', '192.168.1.1'), StationDrop.none, 'answered, not believed');
  assert.equal(lan.advertise(seven, 'fd88::7', { solicited: true, override: true }), StationDrop.notOurs);
  assert.equal(lan.solicit(seven, 'fd88::7', 'fd88::9'), StationDrop.notOurs);
  assert.equal(lan.solicit(seven, 'fd99::7', 'fd88::1'), StationDrop.none);
  assert.equal(lan.station.neighbours.table.count, 0);
  assert.equal(lan.solicit(seven, 'fe80::7', 'fd88::1'), StationDrop.none);
  assert.equal(lan.knows('fe80::7'), '02:00:00:00:00:07 stale');
});

test('who is known and says that it has moved is believed', () => {
  const lan = new Lan().have('192.168.1.1/24');
  lan.arp('request', seven, '192.168.1.7', '192.168.1.1');
  assert.equal(lan.arp('request', mac(8), '192.168.1.7', '192.168.1.7'), StationDrop.none);
  assert.equal(lan.knows('192.168.1.7'), '02:00:00:00:00:08 stale');
});

test('a scan of an empty network takes a fixed number of places, and pushes nobody out', () => {
  const lan = new Lan({ neighbours: 64, incomplete: 16 }).have('192.168.0.1/16');
  lan.arp('request', seven, '192.168.0.7', '192.168.0.1');
  const became: (string | number)[] = [];
  for (let n = 0; n < 1000; n++) became.push(lan.send(`192.168.${1 + (n >> 8)}.${n & 255}`, n));
  assert.equal(became.filter((one) => one === Waiting.full).length, 1000 - 16);
  assert.equal(lan.knows('192.168.0.7'), '02:00:00:00:00:07 stale');
  lan.pass(3000);
  assert.equal(lan.station.neighbours.table.count, 1);
  assert.equal(lan.lost.length, 16);
});

test('a flood of strangers takes the places of those that were not used for long', () => {
  const lan = new Lan({ neighbours: 64, incomplete: 16 }).have('192.168.0.1/16');
  lan.arp('request', seven, '192.168.0.7', '192.168.0.1');
  lan.send('192.168.0.7');
  for (let n = 0; n < 5000; n++) {
    lan.pass(5);
    lan.arp('request', mac(n), `192.168.${1 + (n >> 8)}.${n & 255}`, '192.168.0.1');
    if (n % 100 === 0) lan.arp('reply', seven, '192.168.0.7', '192.168.0.1');
    lan.send('192.168.0.7');
  }
  assert.equal(lan.station.neighbours.table.count, 64);
  assert.match(lan.knows('192.168.0.7')!, /^02:00:00:00:00:07/);
});

test('nobody is asked for at the broadcast address of a network, or at the network', () => {
  const lan = new Lan().have('192.168.1.1/24', '10.0.0.1/31');
  assert.equal(lan.send('192.168.1.255'), Waiting.broadcast);
  assert.equal(lan.send('192.168.1.0'), Waiting.broadcast);
  assert.equal(lan.send('10.0.0.0'), Waiting.held, 'RFC 3021');
});

test('what waits is bounded in all', () => {
  const lan = new Lan().have('192.168.0.1/16');
  const packet = { bytes: new Uint8Array(9000).fill(0x45), at: 0, length: 9000, tag: 1 };
  let full = 0;
  for (let n = 0; n < 500; n++) {
    const view = new DataView(Uint8Array.of(192, 168, 1 + (n >> 8), n & 255).buffer);
    if (lan.station.wait(-1, view, 0, 4, packet, lan.now) === Waiting.displaced) full++;
  }
  assert.ok(full > 350 && full < 400, `${full} of 500 were lost`);
});
