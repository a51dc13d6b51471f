import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Action } from '../control/messages.ts';
import { echoPacket } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';

const host0 = (more: object = {}): Action => ({
  do: 'link.set',
  name: 'host0',
  type: 'tun',
  vrf: 'default',
  mtu: 1420,
  adminUp: true,
  ...more,
});

async function codes(world: World, ...actions: Action[]): Promise<(string | null)[]> {
  return (await world.engine.apply(actions)).map((failed) =>
    failed === null ? null : `${failed.code} ${failed.field ?? ''}`.trim(),
  );
}

const row = (world: World) => world.engine.dump([{ is: 'link', name: 'host0' }])[0];

test('the device comes with its link, is changed in place, and goes with it', async () => {
  const world = new World();
  await world.do(host0({ hostAddresses: ['10.99.0.1/24'], hostRoutes: ['10.77.0.0/24'] }));
  const device = world.host.devices.get('host0')!;
  assert.deepEqual(device.side, { mtu: 1420, addresses: ['10.99.0.1/24'], routes: ['10.77.0.0/24'] });
  const guards = { mssClamp: true, sourceCheck: 'off' };
  const seen = { is: 'link', name: 'host0', type: 'tun', vrf: 'default', mtu: 1420, adminUp: true, ...guards };
  const side = { hostAddresses: ['10.99.0.1/24'], hostRoutes: ['10.77.0.0/24'] };
  assert.deepEqual(row(world), { ...seen, ...side, index: 0, operUp: true });

  await world.do(
    { do: 'vrf.set', name: 'blue', tableId: 7 },
    host0({ vrf: 'blue', mtu: 1300, hostAddresses: ['FD99::1/64'] }),
  );
  assert.equal(world.host.devices.get('host0'), device);
  assert.deepEqual(device.side, { mtu: 1300, addresses: ['fd99::1/64'], routes: [] });
  const changed = { vrf: 'blue', mtu: 1300, hostAddresses: ['fd99::1/64'], hostRoutes: [] };
  assert.deepEqual(row(world), { ...seen, ...changed, index: 0, operUp: true });

  await world.do(host0({ adminUp: false }));
  assert.equal(world.host.devices.size, 0, 'down is away');
  assert.deepEqual(row(world), { ...seen, adminUp: false, hostAddresses: [], hostRoutes: [], index: 0, operUp: false });
  await world.do(host0());
  assert.equal(world.host.devices.size, 1);
  await world.do({ do: 'link.remove', name: 'host0' }, { do: 'link.remove', name: 'host0' });
  assert.equal(world.host.devices.size, 0);
  assert.equal(row(world), undefined);
});

test('a device that somebody took away shows as down, and is made again when set', async () => {
  const world = new World();
  await world.do(host0({ hostRoutes: ['10.77.0.0/24'] }));
  const before = row(world);
  world.host.devices.get('host0')!.vanish();
  assert.deepEqual(row(world), { ...before, adminUp: false, operUp: false });
  await world.do(host0({ hostRoutes: ['10.77.0.0/24'] }));
  assert.deepEqual(row(world), before);
  assert.deepEqual(world.host.devices.get('host0')!.side.routes, ['10.77.0.0/24']);
});

test('what the host refuses changes nothing', async () => {
  const world = new World();
  world.host.refuse = () => new ProblemError(problem('port.denied', 'not you', 'name'));
  assert.deepEqual(await codes(world, host0()), ['port.denied name']);
  assert.deepEqual([row(world), world.host.devices.size], [undefined, 0]);
  world.host.refuse = () => null;
  await world.do(host0({ hostRoutes: ['10.77.0.0/24'] }));
  const before = row(world);
  world.host.refuse = () => new ProblemError(problem('object.exists', 'taken', 'hostRoutes'));
  assert.deepEqual(await codes(world, host0({ mtu: 1300, hostRoutes: ['10.78.0.0/24'] })), [
    'object.exists hostRoutes',
  ]);
  assert.deepEqual(row(world), before);
});

test('what makes no sense is refused with its field', async () => {
  const world = new World();
  await world.do(host0(), { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true });
  assert.deepEqual(
    await codes(
      world,
      host0({ hostAddresses: ['10.99.0.1/24', 'x'] }),
      host0({ hostRoutes: ['10.99.0.1/24'] }),
      host0({ name: 'wg0' }),
      host0({ name: 'wg1', type: 'wireguard', hostRoutes: [] }),
      { do: 'wireguard.set', link: 'host0', listenPort: 0, privateKey: Buffer.alloc(32, 9).toString('base64') },
      { do: 'peer.remove', link: 'host0', publicKey: '' },
    ),
    [
      'prefix.invalid hostAddresses[1]',
      'prefix.invalid hostRoutes[0]',
      'object.exists type',
      'input.invalid type',
      'input.invalid link',
      null,
    ],
  );
});

test('a full queue, a link that is down: counted where the packets should have left', async () => {
  const world = new World();
  await world.gateway();
  const device = await world.hostInterface();
  const a = await world.client(1);
  const send = (): void => {
    a.send(echoPacket({ src: '10.77.0.2', dst: '10.99.0.1' }));
    world.settle();
  };
  send();
  assert.equal(device.received.length, 1);
  device.full = true;
  send();
  assert.deepEqual(world.drops(), { socketFull: 1 });
  await world.do(host0({ adminUp: false }));
  send();
  assert.deepEqual(world.drops(), { socketFull: 1, linkDown: 1 });
  const host = world.engine.counters().links.find((link) => link.name === 'host0')!;
  assert.deepEqual([host.drops, host.txPackets], [2, 2]);
});

test('a burst of the host goes through whole, and two links of one batch each get their own', async () => {
  const world = new World();
  await world.gateway();
  const device = await world.hostInterface();
  const a = await world.client(1);
  a.send(echoPacket({ src: '10.77.0.2', dst: '10.99.0.1' }));
  world.settle();
  await world.do(host0({ name: 'host1' }), {
    do: 'route.set',
    vrf: 'default',
    prefix: '10.98.0.1/32',
    link: 'host1',
    nextHop: null,
  });
  const burst = Array.from({ length: 600 }, (_, i) => {
    const dst = ['10.77.0.2', '10.98.0.1', '10.77.0.1'][i % 3]!;
    return echoPacket({ src: '10.99.0.1', dst }, { sequence: i });
  });
  device.received.length = 0;
  device.say(...burst);
  world.settle();
  assert.deepEqual(
    [a.inbox.length, world.host.devices.get('host1')!.received.length, device.received.length],
    [200, 200, 200],
  );
  assert.deepEqual(world.drops(), {});
});

test('more pieces than a batch has rows: all arrive, in order', async () => {
  const world = new World();
  await world.gateway();
  const device = await world.hostInterface();
  await world.do(host0({ name: 'host1', mtu: 600 }), {
    do: 'route.set',
    vrf: 'default',
    prefix: '10.98.0.1/32',
    link: 'host1',
    nextHop: null,
  });
  const burst = Array.from({ length: 200 }, (_, i) => {
    const one = echoPacket({ src: '10.99.0.1', dst: '10.98.0.1' }, { sequence: i, data: new Uint8Array(1300) });
    // It may be cut: "do not fragment" out of the header and its checksum.
    one[6] = 0;
    const checksum = ((one[10]! << 8) | one[11]!) + 0x4000;
    const folded = (checksum & 0xffff) + (checksum >>> 16);
    one[10] = folded >>> 8;
    one[11] = folded & 0xff;
    return one;
  });
  device.say(...burst);
  world.settle();
  const { received } = world.host.devices.get('host1')!;
  assert.equal(received.length, 600);
  const heads = received.filter((piece) => ((piece[6]! << 8) | piece[7]!) === 0x2000);
  assert.deepEqual(
    heads.map((piece) => (piece[26]! << 8) | piece[27]!),
    Array.from({ length: 200 }, (_, i) => i),
  );
  assert.deepEqual(world.drops(), {});
});

test('an engine that ends takes its devices along', async () => {
  const world = new World();
  await world.gateway();
  await world.hostInterface();
  await world.engine.close();
  assert.equal(world.host.devices.size, 0);
});
