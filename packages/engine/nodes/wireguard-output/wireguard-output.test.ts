import assert from 'node:assert/strict';
import { test } from 'node:test';
import { udpPacket } from '../../testing/packets.testing.ts';
import { World } from '../../testing/world.testing.ts';
import { DESTINATION_BURST } from '../icmp-error/rate-limit.ts';

const data = new Uint8Array(40).fill(7);

test('a peer of whom nobody knows where it is: the mind says so', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  await world.client(2);
  a.send(udpPacket({ src: '10.77.0.2', dst: '10.77.0.3' }, data));
  world.settle();
  assert.deepEqual(world.drops(), { 'wireguard.noEndpoint': 1 });
});

test('and the sender is told, but not without end', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  await world.client(2);
  const four = udpPacket({ src: '10.77.0.2', dst: '10.77.0.3' }, data);
  const six = udpPacket({ src: 'fd77::2', dst: 'fd77::3' }, data);
  a.send(four);
  a.send(six);
  world.settle();
  // Destination unreachable, host; and for IPv6 address. Each quotes what was sent, as it arrived but for its TTL.
  const [told4, told6] = a.inbox;
  assert.deepEqual([told4?.[9], told4?.[20], told4?.[21]], [1, 3, 1]);
  assert.deepEqual(told4?.subarray(28 + 12), four.subarray(12));
  assert.deepEqual([told6?.[6], told6?.[40], told6?.[41]], [58, 1, 3]);
  assert.deepEqual(told6?.subarray(48 + 8), six.subarray(8));
  for (let i = 0; i < 100; i++) a.send(four);
  world.settle();
  assert.equal(a.inbox.length, 2 + DESTINATION_BURST - 1);
  assert.deepEqual(world.drops(), { 'wireguard.noEndpoint': 102 });
});

test('packets for a peer that does not answer wait, and are counted when given up', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  const b = await world.client(2);
  await world.do({
    do: 'peer.set',
    link: 'wg0',
    publicKey: b.publicKey,
    allowedIps: ['10.77.0.3/32'],
    endpoint: '192.0.2.250:9',
    persistentKeepalive: 0,
  });
  for (let i = 0; i < 3; i++) a.send(udpPacket({ src: '10.77.0.2', dst: '10.77.0.3' }, data));
  world.settle();
  assert.deepEqual(world.drops(), {});
  world.pass(120_000);
  assert.deepEqual(world.drops(), { 'wireguard.stagedGivenUp': 3 });
});

test('two links of two VRFs do not meet', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  await world.do(
    { do: 'vrf.set', name: 'blue', tableId: 10 },
    { do: 'link.set', name: 'wg1', type: 'wireguard', vrf: 'blue', mtu: 1420, adminUp: true },
    { do: 'wireguard.set', link: 'wg1', listenPort: 51821, privateKey: Buffer.alloc(32, 9).toString('base64') },
    { do: 'route.set', vrf: 'blue', prefix: '10.88.0.0/24', link: 'wg1', nextHop: null },
  );
  a.send(udpPacket({ src: '10.77.0.2', dst: '10.88.0.2' }, data));
  world.settle();
  assert.deepEqual(world.drops(), { noRoute: 1 });
  // A route of one VRF over a link of another is a leak that somebody asked for.
  await world.do({ do: 'route.set', vrf: 'default', prefix: '10.88.0.0/24', link: 'wg1', nextHop: null });
  a.send(udpPacket({ src: '10.77.0.2', dst: '10.88.0.2' }, data));
  world.settle();
  assert.deepEqual(world.drops(), { noRoute: 1, noPeer: 1 });
  assert.deepEqual(
    world.engine.counters().links.map((link) => link.drops),
    [1, 1],
  );
});
