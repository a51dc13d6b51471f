/** Ports into Ethernets, against the kernels of real hosts: see world.ts. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { needs } from '../world/needs.ts';
import { until } from './gateway.ts';
import { ip, World } from './world.ts';

const world = new World();

describe('ports', { skip: needs('root', 'netns', 'ip', 'ping') }, () => {
  before(async () => {
    await world.start();
    assert.deepEqual(await world.gateway.want(world.intents(false)), {});
  });
  after(() => world.stop());

  test('hosts reach the gateway and each other, over both families', () => {
    for (const to of ['192.168.1.1', 'fd88::1', '192.168.2.1', '192.168.2.10']) world.ping(world.a, to);
    world.ping(world.a, 'fd89::10');
    world.ping(world.b, '192.168.1.10');
    world.ping(world.b, 'fd88::10');
  });

  test('the kernels know the gateway by its MAC address, and it knows them', async () => {
    for (const to of ['192.168.1.1', 'fd88::1']) world.ping(world.a, to);
    const ours = world.macOf(world.router, 'eth1');
    for (const address of ['192.168.1.1', 'fd88::1'])
      assert.match(ip('-n', world.a, 'neigh', 'show', address), new RegExp(`lladdr ${ours}`));
    assert.match(ip('-n', world.a, '-6', 'neigh', 'show', 'fd88::1'), /router/);
    const { neighbours } = await world.gateway.neighbours();
    const mac = world.macOf(world.a, 'eth0');
    for (const address of ['192.168.1.10', 'fd88::10'])
      assert.equal(neighbours.find((one) => one.address === address)?.mac, mac, address);
  });

  test('TCP both ways, over both families: super-packets and unfinished checksums of the veths are made right', {
    skip: needs('iperf3'),
  }, async () => {
    for (const [client, server, address] of [
      [world.a, world.b, '192.168.2.10'],
      [world.b, world.a, 'fd88::10'],
    ] as const) {
      const speed = await world.iperf(client, server, address);
      // Without segmentation next to nothing would pass: every frame that is too long is lost.
      assert.ok(speed > 5e6, `${speed} bytes a second`);
    }
    assert.equal((await world.gateway.drops()).offloadMalformed ?? 0, 0);
  });

  test('link-local addresses mean what they mean on the link', async () => {
    const ours = (await world.gateway.neighbours()).ports.find((port) => port.link === 'lan')!;
    const linkLocal = ours.addresses.find(({ address }) => address.startsWith('fe80'))!;
    assert.equal(linkLocal.state, 'valid');
    world.ping(world.a, `${linkLocal.address.split('/')[0]}%eth0`);
  });

  test('nobody is there: the sender hears of it, and once somebody is, packets pass', async () => {
    for (const to of ['192.168.2.77', 'fd89::77']) {
      const { status, said } = world.tried(world.a, 'ping', '-c', '1', '-w', '5', to);
      assert.equal(status, 1, said);
      assert.match(said, /From (192\.168\.1\.1|fd88::1) .*([Uu]nreachable)/);
    }
    assert.ok((await world.gateway.drops()).neighbourUnreachable! >= 2);
    ip('-n', world.b, 'addr', 'add', '192.168.2.77/24', 'dev', 'eth0');
    world.ping(world.a, '192.168.2.77');
    ip('-n', world.b, 'addr', 'del', '192.168.2.77/24', 'dev', 'eth0');
  });

  test('a host with another MAC address is found again', async () => {
    world.ping(world.a, '192.168.2.10');
    ip('-n', world.b, 'link', 'set', 'eth0', 'down');
    ip('-n', world.b, 'link', 'set', 'eth0', 'address', '02:00:5e:00:00:99');
    ip('-n', world.b, 'link', 'set', 'eth0', 'up');
    world.address6(world.b, '192.168.2', 'fd89');
    await until(
      'the gateway sends to the new address',
      () =>
        world.tried(world.a, 'ping', '-c', '1', '-w', '1', '192.168.2.10').status === 0 &&
        world.tried(world.a, 'ping', '-c', '1', '-w', '1', 'fd89::10').status === 0,
    );
    const { neighbours } = await world.gateway.neighbours();
    assert.equal(neighbours.find((one) => one.address === '192.168.2.10')?.mac, '02:00:5e:00:00:99');
  });

  test('an interface that is down is a link that is down, and comes back', async () => {
    const isUp = async (): Promise<boolean | undefined> =>
      (await world.gateway.neighbours()).ports.find((port) => port.link === 'wan')?.up;
    ip('-n', world.router, 'link', 'set', 'eth2', 'down');
    await until('the port is down', async () => (await isUp()) === false);
    const { said } = world.tried(world.a, 'ping', '-c', '1', '-w', '3', '192.168.2.10');
    assert.match(said, /Net Unreachable/);
    ip('-n', world.router, 'link', 'set', 'eth2', 'up');
    await until('the port is up', async () => (await isUp()) === true);
    world.ping(world.a, '192.168.2.10');
    // A cable that is out at the other end.
    ip('-n', world.b, 'link', 'set', 'eth0', 'down');
    await until('the port sees it', async () => (await isUp()) === false);
    ip('-n', world.b, 'link', 'set', 'eth0', 'up');
    world.address6(world.b, '192.168.2', 'fd89');
    await until('it is back', async () => (await isUp()) === true);
    world.ping(world.a, '192.168.2.10');
  });

  test('an interface that is taken away and made again', async () => {
    ip('-n', world.router, 'link', 'del', 'eth2');
    await until('the plane says so', async () => {
      const [link] = await world.gateway.driver.observe(['link/wan' as never], new AbortController().signal);
      return link?.object.kind === 'link' && !link.object.adminUp;
    });
    assert.match(Object.values(await world.gateway.reconcile()).join(), /interface\.notFound.*no interface eth2/);
    world.cable('eth2', world.b, '192.168.2', 'fd89');
    assert.deepEqual(await world.gateway.reconcile(), {});
    world.ping(world.a, '192.168.2.10');
    world.ping(world.a, 'fd89::10');
  });

  test('packets of all lengths pass, whole and in pieces', () => {
    for (const to of ['192.168.2.10', 'fd89::10', '192.168.1.1'])
      for (const size of ['0', '1', '1452', '1472', '1473', '4000']) world.ping(world.a, to, '-s', size, '-c', '1');
  });

  test('a longer MTU than the interface takes is refused, with what it takes', async () => {
    const intents = world.intents(false).map((one) => ('device' in one ? { ...one, mtu: 9000 } : one));
    const failed = await world.gateway.want(intents);
    assert.match(failed['link/lan'] ?? '', /input\.invalid eth1 takes packets of at most 1500 bytes/);
    ip('-n', world.a, 'link', 'set', 'eth0', 'mtu', '9000');
    ip('-n', world.router, 'link', 'set', 'eth1', 'mtu', '9000');
    const lan = world
      .intents(false)
      .map((one) => ('device' in one && one.device === 'eth1' ? { ...one, mtu: 9000 } : one));
    assert.deepEqual(await world.gateway.want(lan), {});
    world.ping(world.a, '192.168.1.1', '-M', 'do', '-s', '8900');
    const { said } = world.tried(world.a, 'ping', '-c', '1', '-w', '2', '-M', 'do', '-s', '8900', '192.168.2.10');
    assert.match(said, /From 192\.168\.1\.1 .*mtu = 1500/);
    const six = world.tried(world.a, 'ping', '-c', '1', '-w', '2', '-M', 'do', '-s', '8900', 'fd89::10');
    assert.match(six.said, /From fd88::1 .*mtu=1500/);
    assert.deepEqual(await world.gateway.want(world.intents(false)), {});
  });

  test('an address that another host has is not ours, and that is said', async () => {
    ip('-n', world.a, 'addr', 'add', 'fd88::66/64', 'dev', 'eth0', 'nodad');
    const more = [...world.intents(false), { kind: 'address', interface: 'lan', address: 'fd88::66/64' }];
    assert.deepEqual(await world.gateway.want(more), {});
    await until('it is seen to be taken', async () => {
      const { ports } = await world.gateway.neighbours();
      const lan = ports.find((port) => port.link === 'lan');
      return lan?.addresses.find(({ address }) => address === 'fd88::66/64')?.state === 'duplicate';
    });
    assert.deepEqual(await world.gateway.want(world.intents(false)), {});
    ip('-n', world.a, 'addr', 'del', 'fd88::66/64', 'dev', 'eth0');
  });

  test('a macvlan beside the kernel’s own use of an interface', async () => {
    ip('-n', world.router, 'link', 'add', 'mv0', 'link', 'eth1', 'type', 'macvlan', 'mode', 'bridge');
    ip('-n', world.router, 'link', 'set', 'mv0', 'up');
    ip('-n', world.router, 'addr', 'add', '192.168.1.2/24', 'dev', 'eth1');
    const intents = world
      .intents(false)
      .map((one) => ('device' in one && one.device === 'eth1' ? { ...one, device: 'mv0' } : one));
    assert.deepEqual(await world.gateway.want(intents), {});
    world.in(world.a, 'ip', 'neigh', 'flush', 'dev', 'eth0');
    for (const to of ['192.168.1.1', '192.168.1.2', '192.168.2.10', 'fd88::1']) world.ping(world.a, to);
    const macs = ['192.168.1.1', '192.168.1.2'].map(
      (of) => /lladdr (\S+)/.exec(ip('-n', world.a, 'neigh', 'show', of))?.[1],
    );
    assert.deepEqual(macs, [world.macOf(world.router, 'mv0'), world.macOf(world.router, 'eth1')]);
    ip('-n', world.router, 'addr', 'del', '192.168.1.2/24', 'dev', 'eth1');
    assert.deepEqual(await world.gateway.want(world.intents(false)), {});
    ip('-n', world.router, 'link', 'del', 'mv0');
  });

  test('another that claims our IPv4 address is noticed, and hears from us', async () => {
    world.in(world.a, 'ip', 'neigh', 'flush', 'dev', 'eth0');
    ip('-n', world.a, 'addr', 'add', '192.168.1.1/24', 'dev', 'eth0');
    // Its kernel asks with that address as the sender.
    world.tried(world.a, 'ping', '-c', '1', '-w', '1', '-I', '192.168.1.1', '192.168.1.55');
    const { ports } = await world.gateway.neighbours();
    const ours = ports
      .find(({ link }) => link === 'lan')
      ?.addresses.find(({ address }) => address === '192.168.1.1/24');
    assert.ok(ours !== undefined && ours.conflicts > 0);
    ip('-n', world.a, 'addr', 'del', '192.168.1.1/24', 'dev', 'eth0');
    world.ping(world.a, '192.168.1.1');
  });

  test('a TAP is made, speaks from its own address, and goes with the port', async () => {
    const tap = [
      ...world.intents(false),
      { kind: 'port', name: 'inside', tap: 'tap0', mtu: 1400, mac: '02:00:5e:00:00:42' },
      { kind: 'address', interface: 'inside', address: '10.5.0.1/24' },
    ];
    assert.deepEqual(await world.gateway.want(tap), {});
    assert.match(ip('-n', world.router, 'link', 'show', 'tap0'), /mtu 1400/);
    ip('-n', world.router, 'addr', 'add', '10.5.0.2/24', 'dev', 'tap0');
    world.ping(world.router, '10.5.0.1');
    assert.match(ip('-n', world.router, 'neigh', 'show', '10.5.0.1'), /lladdr 02:00:5e:00:00:42/);
    assert.deepEqual(await world.gateway.want(world.intents(false)), {});
    assert.equal(world.tried(world.router, 'ip', 'link', 'show', 'tap0').status, 1);
  });

  test('nothing that was said is malformed', { skip: needs('tshark', 'tcpdump') }, async () => {
    const capture = await world.capture(world.a, 'eth0');
    world.ping(world.a, '192.168.2.10', '-s', '4000', '-M', 'dont');
    world.ping(world.a, 'fd89::10');
    world.tried(world.a, 'ping', '-c', '1', '-w', '4', '192.168.2.78');
    world.in(world.a, 'ip', 'neigh', 'flush', 'dev', 'eth0');
    world.ping(world.a, 'fd88::1');
    world.ping(world.a, '192.168.1.1');
    const frames = await capture.end();
    assert.ok(frames.total > 15, `${frames.total} frames`);
    assert.deepEqual(frames.wrong, []);
  });
});

describe('a port beside WireGuard', { skip: needs('root', 'netns', 'tun', 'ip', 'ping', 'wireguard-go') }, () => {
  const beside = new World('w');
  before(async () => {
    await beside.start();
    await beside.startPeer();
    assert.deepEqual(await beside.gateway.want(beside.intents(true)), {});
  });
  after(() => beside.stop());

  test('the peer and the hosts reach each other, over both families', () => {
    for (const to of ['192.168.1.10', 'fd88::10', '192.168.2.10', '192.168.1.1']) beside.ping(beside.peer, to);
    beside.ping(beside.a, '10.77.0.2');
    beside.ping(beside.a, 'fd77::2');
    for (const size of ['1392', '1393', '4000'])
      beside.ping(beside.a, '10.77.0.2', '-s', size, '-c', '1', '-M', 'dont');
  });

  test('TCP between them: what the LAN says too long for the tunnel is made to fit', {
    skip: needs('iperf3'),
  }, async () => {
    for (const [client, server, address] of [
      [beside.a, beside.peer, '10.77.0.2'],
      [beside.peer, beside.a, '192.168.1.10'],
      [beside.peer, beside.a, 'fd88::10'],
    ] as const) {
      const speed = await beside.iperf(client, server, address);
      assert.ok(speed > 5e6, `${speed} bytes a second`);
    }
  });

  test('a host that is not there: the peer hears of it', () => {
    const { said } = beside.tried(beside.peer, 'ping', '-c', '1', '-w', '5', '192.168.1.99');
    assert.match(said, /From 10\.77\.0\.1 .*Host Unreachable/);
  });
});
