import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpv4, setIpv4Ttl } from '@vrouter/wire/ipv4/ipv4.ts';
import { echoPacket, udpPacket, type Way } from './testing/packets.testing.ts';
import { World, workersInTests } from './testing/world.testing.ts';

const data = Uint8Array.from({ length: 100 }, (_, i) => i);

async function twoClients(): Promise<World> {
  const world = new World();
  await world.gateway();
  await world.client(1);
  await world.client(2);
  // Shake hands, so that what follows is data alone.
  for (const [i, client] of world.clients.entries())
    client.send(echoPacket({ src: `10.77.0.${i + 2}`, dst: '10.77.0.1' }));
  world.settle();
  for (const client of world.clients) assert.equal(client.inbox.splice(0).length, 1);
  return world;
}

const ways: readonly (readonly [string, Way, Way])[] = [
  ['IPv4', { src: '10.77.0.2', dst: '10.77.0.3' }, { src: '10.77.0.2', dst: '10.77.0.1' }],
  ['IPv6', { src: 'fd77::2', dst: 'fd77::3' }, { src: 'fd77::2', dst: 'fd77::1' }],
];

for (const [family, across, toGateway] of ways) {
  test(`${family}: a packet goes from one peer to another with one hop less`, async () => {
    const world = await twoClients();
    const [a, b] = world.clients;
    a!.send(udpPacket(across, data));
    world.settle();
    assert.deepEqual(b!.inbox, [udpPacket({ ...across, ttl: 63 }, data)]);
    assert.deepEqual(a!.inbox, []);
    assert.deepEqual(world.drops(), {});
  });

  test(`${family}: an echo request to the gateway is answered`, async () => {
    const world = await twoClients();
    const [a] = world.clients;
    a!.send(echoPacket({ ...toGateway, ttl: 1 }, { identifier: 99, sequence: 3, data }));
    world.settle();
    const back = { src: toGateway.dst, dst: toGateway.src };
    assert.deepEqual(a!.inbox, [echoPacket(back, { reply: true, identifier: 99, sequence: 3, data })]);
    assert.deepEqual(world.drops(), {});
  });

  test(`${family}: an expired packet is dropped and counted`, async () => {
    const world = await twoClients();
    world.clients[0]!.send(udpPacket({ ...across, ttl: 1 }, data));
    world.settle();
    assert.deepEqual(world.clients[1]!.inbox, []);
    assert.deepEqual(world.drops(), { ttlExpired: 1 });
  });

  test(`${family}: a packet without a route is dropped and counted`, async () => {
    const world = await twoClients();
    world.clients[0]!.send(udpPacket({ ...across, dst: family === 'IPv4' ? '10.99.0.1' : 'fd99::1' }, data));
    world.settle();
    assert.deepEqual(world.drops(), { noRoute: 1 });
    assert.equal(world.engine.counters().links[0]!.drops, 1);
  });

  test(`${family}: what is for the gateway and no echo is dropped and counted`, async () => {
    const world = await twoClients();
    world.clients[0]!.send(udpPacket(toGateway, data));
    world.clients[0]!.send(echoPacket(toGateway, { reply: true }));
    world.settle();
    assert.deepEqual(world.drops(), { noListener: 2 });
  });

  test(`${family}: a destination of no peer is dropped and counted`, async () => {
    const world = await twoClients();
    world.clients[0]!.send(udpPacket({ ...across, dst: family === 'IPv4' ? '10.77.0.9' : 'fd77::9' }, data));
    world.settle();
    assert.deepEqual(world.drops(), { noPeer: 1 });
  });

  test(`${family}: a packet may go back to the peer that it came from`, async () => {
    const world = await twoClients();
    const self = { src: across.src, dst: across.src };
    world.clients[0]!.send(udpPacket(self, data));
    world.settle();
    assert.deepEqual(world.clients[0]!.inbox, [udpPacket({ ...self, ttl: 63 }, data)]);
  });
}

test('counters tell of nodes and links', async () => {
  const world = await twoClients();
  world.clients[0]!.send(udpPacket(ways[0]![1], data));
  world.settle();
  const { links, nodes, epoch } = world.engine.counters();
  assert.equal(epoch, 'test');
  // Two echoes of 35 bytes before, one datagram of 128 now; one echo reply each, one datagram out.
  assert.deepEqual(links, [
    { name: 'wg0', rxPackets: 3, rxBytes: 2 * 35 + 128, txPackets: 3, txBytes: 2 * 35 + 128, drops: 0 },
  ]);
  assert.equal(nodes['ip-input'], 3);
  assert.equal(nodes['ip-lookup'], 5);
  assert.equal(nodes.local, 2);
  assert.equal(nodes['ip-rewrite'], 3);
  // On several workers the datagram is seen there by both peers' owners.
  assert.equal(nodes['wireguard-output'], workersInTests > 1 ? 4 : 3);
});

test('coalesced datagrams are sealed again without harm to their neighbours', async () => {
  const world = await twoClients();
  const [a, b] = world.clients;
  world.network.coalesce = true;
  // 1420 bytes are padded to nothing on a link of MTU 1420; on one of 1500 they would be.
  await world.do({ do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1500, adminUp: true });
  const sent = Array.from({ length: 40 }, (_, i) =>
    udpPacket(ways[0]![1], new Uint8Array(i % 3 === 0 ? 17 + i : 1392).fill(i)),
  );
  for (const packet of sent) a!.send(packet);
  world.settle();
  assert.equal(b!.inbox.length, sent.length);
  for (const [i, packet] of sent.entries()) {
    setIpv4Ttl(new DataView(packet.buffer), 0, 63);
    assert.deepEqual(b!.inbox[i], packet, `packet ${i}`);
    assert.notEqual(parseIpv4(new DataView(packet.buffer), 0, packet.length), null);
  }
});

test('more than a batch at once arrives whole and in order', async () => {
  const world = await twoClients();
  const [a, b] = world.clients;
  for (let i = 0; i < 3000; i++) a!.send(udpPacket(ways[1]![1], Uint8Array.of(i >> 8, i & 0xff)));
  world.settle();
  assert.deepEqual(
    b!.inbox.map((packet) => (packet[48]! << 8) | packet[49]!),
    Array.from({ length: 3000 }, (_, i) => i),
  );
});

test('a packet for a peer without a session waits for the handshake', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  const b = await world.client(2);
  // The gateway learns where b is from a configured endpoint, since b has said nothing.
  await world.do({
    do: 'peer.set',
    link: 'wg0',
    publicKey: b.publicKey,
    allowedIps: ['10.77.0.3/32'],
    endpoint: '192.0.2.102:49152',
    persistentKeepalive: 0,
  });
  a.send(udpPacket(ways[0]![1], data));
  world.settle();
  assert.deepEqual(b.inbox, [udpPacket({ ...ways[0]![1], ttl: 63 }, data)]);
});

test('another listen port and a link that goes down and up cost no session', async () => {
  const world = await twoClients();
  const [a, b] = world.clients;
  const before = world.engine.dump().filter((row) => row.is === 'peer');
  await world.do({ do: 'wireguard.set', link: 'wg0', listenPort: 51999 });
  a!.connect(world.publicKey(), '192.0.2.1:51999');
  a!.send(udpPacket(ways[0]![1], data));
  world.settle();
  assert.equal(b!.inbox.length, 1);
  const link = { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420 } as const;
  await world.do({ ...link, adminUp: false });
  a!.send(udpPacket(ways[0]![1], data));
  world.settle();
  assert.equal(b!.inbox.length, 1);
  await world.do({ ...link, adminUp: true });
  a!.send(udpPacket(ways[0]![1], data));
  world.settle();
  assert.equal(b!.inbox.length, 2);
  const after = world.engine.dump().filter((row) => row.is === 'peer');
  assert.deepEqual(
    after.map((row) => row.lastHandshakeUnixMs),
    before.map((row) => row.lastHandshakeUnixMs),
  );
});

test('an engine without peers to keep alive sets no alarm', async () => {
  const world = new World();
  await world.gateway();
  await world.client(1);
  assert.equal(world.alarmAt, Number.POSITIVE_INFINITY);
});

test('a silent pair falls quiet, and speaks again after three minutes', async () => {
  const world = await twoClients();
  const [a, b] = world.clients;
  world.pass(600_000);
  assert.equal(world.alarmAt, Number.POSITIVE_INFINITY, 'nothing is due once the keys are gone');
  a!.send(udpPacket(ways[0]![1], data));
  world.settle();
  world.pass(10_000);
  assert.equal(b!.inbox.length, 1);
});

test('close ends sockets and erases peers', async () => {
  const world = await twoClients();
  await world.engine.close();
  await world.engine.close();
  assert.deepEqual(
    world.engine.dump().filter((row) => row.is === 'peer' || row.is === 'wireguard'),
    [],
  );
  // The port is free again.
  await world.network.host('192.0.2.1')({ port: 51820 });
});
