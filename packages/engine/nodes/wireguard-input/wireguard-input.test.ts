import assert from 'node:assert/strict';
import { test } from 'node:test';
import { echoPacket } from '../../testing/packets.testing.ts';
import { GATEWAY_IP, LISTEN_PORT, World } from '../../testing/world.testing.ts';

/** A socket that sends raw datagrams to the gateway. */
async function attacker(world: World): Promise<(bytes: Uint8Array) => void> {
  const { makeEndpoint } = await import('@vrouter/core/endpoint.ts');
  const from = makeEndpoint(Uint8Array.of(198, 51, 100, 1), 4000);
  const to = makeEndpoint(Uint8Array.of(192, 0, 2, 1), LISTEN_PORT);
  return (bytes) => assert.equal(world.network.pass(from, to, bytes), true);
}

test('what the mind refuses is counted under its own reason', async () => {
  const world = new World();
  await world.gateway();
  const send = await attacker(world);
  send(new Uint8Array(0));
  send(Uint8Array.of(9, 9, 9, 9, 9));
  send(new Uint8Array(148).fill(1, 0, 1));
  send(new Uint8Array(64).fill(4, 0, 1));
  world.settle();
  assert.deepEqual(world.drops(), {
    'wireguard.length': 1,
    'wireguard.type': 1,
    'wireguard.mac1': 1,
    'wireguard.unknownIndex': 1,
  });
  const { links, nodes } = world.engine.counters();
  assert.deepEqual([links[0]!.rxPackets, links[0]!.drops], [0, 4]);
  assert.equal(nodes['wireguard-input'], 4);
  assert.equal(nodes['ip-input'], 0);
});

test('a source outside the allowed IPs, a replay and a changed datagram go no further', async () => {
  const world = new World();
  await world.gateway();
  const client = await world.client(1);
  client.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  world.settle();
  const seen: Uint8Array[] = [];
  world.network.lose = (_, to, bytes) => {
    if (to.text === `${GATEWAY_IP}:${LISTEN_PORT}`) seen.push(bytes.slice());
    return false;
  };
  client.send(echoPacket({ src: '10.77.0.77', dst: '10.77.0.1' }));
  world.settle();
  assert.deepEqual(world.drops(), { 'wireguard.sourceNotAllowed': 1 });
  const send = await attacker(world);
  send(seen[0]!.slice());
  world.settle();
  assert.deepEqual(world.drops(), { 'wireguard.sourceNotAllowed': 1, 'wireguard.replay': 1 });
  const changed = seen[0]!.slice();
  changed[20] = changed[20]! ^ 1;
  send(changed);
  world.settle();
  assert.deepEqual(world.drops()['wireguard.notAuthentic'], 1);
});

test('keepalives and handshakes are no drops', async () => {
  const world = new World();
  await world.gateway();
  const client = await world.client(1);
  client.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  world.settle();
  world.pass(30_000);
  const { nodes, drops } = world.engine.counters();
  assert.deepEqual(drops, {});
  assert.ok(nodes['wireguard-input']! > nodes['ip-input']!);
});
