/** vrouterctl as people use it, against a controller, a gateway and an engine that run. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseWgQuickFile } from '../../programs/demo/peers/wg-quick-file.ts';
import type { Network } from '../../programs/demo/world/network.ts';
import { environmentOf, withNetwork } from './network.ts';

const program = fileURLToPath(new URL('../../vrouterctl', import.meta.url));

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function vrouterctl(network: Network, ...args: string[]): Promise<Ran> {
  const env = environmentOf(network);
  return new Promise((resolve) => {
    execFile(program, args, { env }, (error, out, err) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

async function json(network: Network, ...args: string[]): Promise<Record<string, unknown>> {
  const ran = await vrouterctl(network, ...args, '--json');
  assert.equal(ran.status, 0, ran.err);
  return JSON.parse(ran.out) as Record<string, unknown>;
}

test('everything that vrouterctl shows is what runs', { timeout: 120_000 }, async (t) => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    await t.test('show: tables for people, data for programs', async () => {
      for (const what of ['interfaces', 'peers', 'routes', 'nat', 'stats', 'plan', 'version', 'status']) {
        const ran = await vrouterctl(network, 'show', what);
        assert.equal(ran.status, 0, `${what}: ${ran.err}`);
        assert.notEqual(ran.out.trim(), '', what);
        assert.equal(typeof (await json(network, 'show', what)), 'object', what);
      }
      const { peers } = (await json(network, 'show', 'peers')) as { peers: { name: string; endpoint: string }[] };
      assert.deepEqual(
        peers.map((peer) => peer.name),
        ['alice', 'bob'],
      );
      const { steps } = (await json(network, 'show', 'plan')) as { steps: unknown[] };
      assert.deepEqual(steps, []);
    });

    await t.test('peer add writes a file that a client can use, and the peer is on the plane', async () => {
      const path = network.path('peers', 'laptop.conf');
      const ran = await vrouterctl(
        network,
        'peer',
        'add',
        'demo',
        'laptop',
        '--psk',
        '--keepalive',
        '25',
        '--out',
        path,
      );
      assert.equal(ran.status, 0, ran.err);
      assert.equal(statSync(path).mode & 0o777, 0o600);
      const file = parseWgQuickFile(readFileSync(path, 'utf8'));
      assert.equal(file.peers.length, 1);
      assert.notEqual(file.peers[0]!.presharedKey, null);
      const { peers } = (await json(network, 'peer', 'list', 'demo')) as { peers: { name: string }[] };
      assert.ok(peers.some((peer) => peer.name === 'laptop'));
      const shown = await vrouterctl(network, 'show', 'peers');
      assert.match(shown.out, /laptop/);
    });

    await t.test('a route comes and goes', async () => {
      const added = await vrouterctl(network, 'route', 'add', 'demo', '198.51.100.0/24', '--interface', 'wg0');
      assert.equal(added.status, 0, added.err);
      assert.match((await vrouterctl(network, 'show', 'routes')).out, /198\.51\.100\.0\/24/);
      assert.equal((await vrouterctl(network, 'route', 'remove', 'demo', '198.51.100.0/24')).status, 0);
      assert.doesNotMatch((await vrouterctl(network, 'show', 'routes')).out, /198\.51\.100/);
    });

    await t.test('mistakes are told: code, field, and the right exit status', async () => {
      const unknown = await vrouterctl(network, 'peer', 'remove', 'demo', 'nobody');
      assert.deepEqual([unknown.status, /peer\.notFound/.test(unknown.err)], [1, true]);
      const bad = await vrouterctl(network, 'route', 'add', 'demo', '10.0.0.1/8', '--interface', 'wg0');
      assert.deepEqual([bad.status, /prefix\.invalid/.test(bad.err)], [2, true]);
      assert.match(bad.err, /10\.0\.0\.0\/8/);
      const usage = await vrouterctl(network, 'peer', 'ad');
      assert.equal(usage.status, 2);
      const away = await vrouterctl(network, '--socket', '/tmp/nobody.sock', 'show', 'peers', '--json');
      assert.equal(away.status, 1);
      assert.equal((JSON.parse(away.err) as { error: { code: string } }).error.code, 'socket.unreachable');
    });

    await t.test('the engine is stopped by hand, stays so, and is started and filled by hand', async () => {
      const before = await network.gateway.status();
      assert.equal((await vrouterctl(network, 'engine', 'stop')).status, 0);
      assert.equal((await network.gateway.status()).engine, null);
      assert.equal(existsSync(network.path('gateway', 'engine.sock')), false);
      assert.equal((await vrouterctl(network, 'engine', 'start')).status, 0);
      const after = await network.gateway.status();
      assert.notEqual(after.engine?.epoch, before.engine?.epoch);
      assert.equal((await network.gateway.peers()).length, 3);
    });
  });
});
