/** Outside addresses of NAT in the network of a port: the kernels of real hosts ask for them, and find the gateway. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { needs, programPath } from '../world/needs.ts';
import { end, until } from './gateway.ts';
import { ip, World } from './world.ts';

const world = new World('n');
const INSIDE = '192.168.2.10';
const OUTSIDE = '192.168.1.10';
const FLOATING = '192.168.1.50';
const POOLED = '192.168.1.60';
const PUBLISHED = '192.168.1.70';
const rules = [
  { kind: 'floatingIp', id: 'b', address: FLOATING, fixedAddress: INSIDE },
  { kind: 'publishedPort', hostAddress: PUBLISHED, hostPort: 80, protocol: 'tcp', address: INSIDE, port: 8000 },
];
const masquerade = { kind: 'masquerade', prefix: '192.168.2.0/24', leaving: ['lan'], addresses: [POOLED] };

const foundAt = (address: string): string =>
  /lladdr (\S+)/.exec(ip('-n', world.a, 'neigh', 'show', address, 'dev', 'eth0'))?.[1] ?? 'nowhere';
const answersFor = async (): Promise<string[]> => {
  const { ports } = await world.gateway.neighbours();
  const { addresses } = ports.find(({ link }) => link === 'lan')!;
  return addresses.flatMap(({ address, state }) => (/^192.*\/32$/.test(address) ? [`${address} ${state}`] : []));
};

describe('NAT at a port', { skip: needs('root', 'netns', 'ip', 'ping', 'curl') }, () => {
  before(async () => {
    await world.start();
    assert.deepEqual(await world.gateway.want(world.intents(false)), {});
  });
  after(() => world.stop());

  test('a floating address is asked for, found at the gateway, announced, and gone with its rule', async () => {
    ip('-n', world.a, 'neigh', 'add', FLOATING, 'lladdr', '02:00:00:00:00:99', 'dev', 'eth0', 'nud', 'stale');
    assert.deepEqual(await world.gateway.want([...world.intents(false), ...rules]), {});
    const ours = world.macOf(world.router, 'eth1');
    await until('the announcement to be heard', () => foundAt(FLOATING) === ours);
    ip('-n', world.a, 'neigh', 'flush', 'dev', 'eth0');
    world.ping(world.a, FLOATING);
    assert.equal(foundAt(FLOATING), ours);
    world.ping(world.b, OUTSIDE);
    assert.deepEqual(await answersFor(), [`${FLOATING}/32 valid`, `${PUBLISHED}/32 valid`]);
    assert.deepEqual(await world.gateway.want(world.intents(false)), {});
    assert.deepEqual(await answersFor(), []);
    ip('-n', world.a, 'neigh', 'flush', 'dev', 'eth0');
    assert.notEqual(world.tried(world.a, 'ping', '-c', '1', '-w', '2', FLOATING).status, 0);
    world.ping(world.a, '192.168.1.1');
  });

  test('a published address that is no interface’s', async () => {
    assert.deepEqual(await world.gateway.want([...world.intents(false), ...rules.slice(1)]), {});
    const script = fileURLToPath(new URL('../nat/server.ts', import.meta.url));
    const argv = ['netns', 'exec', world.b, process.execPath, script, '8000'];
    const server = spawn(programPath('ip')!, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(server.stdout!, 'data');
      for (const url of [`http://${PUBLISHED}/who`, `http://${INSIDE}:8000/who`])
        assert.match(world.in(world.a, 'curl', '-sS', '--max-time', '10', url), /192\.168\.1\.10:\d+$/);
      assert.equal(foundAt(PUBLISHED), world.macOf(world.router, 'eth1'));
    } finally {
      await end(server, 'SIGKILL');
    }
  });

  test('an address of a masquerade: answers find the way back', async () => {
    assert.deepEqual(await world.gateway.want([...world.intents(false), masquerade]), {});
    ip('-n', world.a, 'neigh', 'flush', 'dev', 'eth0');
    world.ping(world.b, OUTSIDE);
    assert.equal(foundAt(POOLED), world.macOf(world.router, 'eth1'));
    // Somebody else takes it: that is noticed and answered, as for any address of ours.
    ip('-n', world.a, 'addr', 'add', `${POOLED}/24`, 'dev', 'eth0');
    world.tried(world.a, 'ping', '-c', '1', '-w', '1', '-I', POOLED, '192.168.1.55');
    const { ports } = await world.gateway.neighbours();
    const own = ports.find(({ link }) => link === 'lan')!.addresses.find(({ address }) => address === `${POOLED}/32`);
    assert.ok(own !== undefined && own.conflicts > 0);
  });
});
