/** vrouterctl as people use it, against a controller, a gateway and an engine that run. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseWgQuickFile } from '../../programs/demo/peers/wg-quick-file.ts';
import type { Network } from '../../programs/demo/world/network.ts';
import { needsEngine, planeWanted } from '../world/plane.ts';
import { environmentOf, withNetwork } from './network.ts';

const program = fileURLToPath(new URL('../../vrouterctl', import.meta.url));

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function vrouterctl(network: Network, ...args: string[]): Promise<Ran> {
  return ran(args, environmentOf(network));
}

function ran(args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(program, args, { env, cwd }, (error, out, err) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

async function json(network: Network, ...args: string[]): Promise<Record<string, unknown>> {
  const ran = await vrouterctl(network, ...args, '--json');
  assert.equal(ran.status, 0, ran.err);
  return JSON.parse(ran.out) as Record<string, unknown>;
}

test('everything that vrouterctl shows is what runs', {
  timeout: planeWanted === 'linux' ? 400_000 : 120_000,
}, async (t) => {
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

    await t.test(
      'beside a running network no token is typed: it is found, and shown to that controller alone',
      async () => {
        const beside = network.path('beside');
        mkdirSync(beside);
        symlinkSync(network.path(), join(beside, '.vrouter'));
        const { VROUTER_TOKEN: _, ...env } = environmentOf(network);
        const there = await ran(['peer', 'list', 'demo'], env, beside);
        assert.deepEqual([there.status, there.err], [0, '']);
        const elsewhere = await ran(['peer', 'list', 'demo'], env, network.path('logs'));
        assert.deepEqual([elsewhere.status, /wants an API token.*unauthenticated/.test(elsewhere.err)], [1, true]);
      },
    );

    await t.test('a user with less may look and not touch, and the audit knows who did what', async () => {
      assert.equal((await vrouterctl(network, 'user', 'create', 'kim')).status, 0);
      const path = network.path('kim.token');
      assert.equal((await vrouterctl(network, 'api-token', 'create', 'kim', 'here', '--out', path)).status, 0);
      const asKim = ['--token-file', path];
      assert.match((await vrouterctl(network, ...asKim, 'whoami')).out, /^kim, viewer\n/);
      assert.match((await vrouterctl(network, ...asKim, 'peer', 'list', 'demo')).out, /alice/);
      const refused = await vrouterctl(network, ...asKim, 'peer', 'remove', 'demo', 'alice');
      assert.deepEqual(
        [refused.status, /needs the role operator.*\(request\.roleNeeded\)/.test(refused.err)],
        [1, true],
      );
      assert.match((await vrouterctl(network, 'audit', 'list')).out, /kim \([a-z0-9]{8}\) .* demo +refused/);
      assert.match((await vrouterctl(network, 'audit', 'verify')).out, /^all \d+ rows are as they were written/);
      assert.equal((await vrouterctl(network, 'user', 'delete', 'kim')).status, 0);
      const gone = await vrouterctl(network, ...asKim, 'whoami');
      assert.deepEqual([gone.status, /does not take the API token from .*kim\.token/.test(gone.err)], [1, true]);
    });

    await t.test(
      'the engine is stopped by hand, stays so, and is started and filled by hand',
      { skip: needsEngine },
      async () => {
        const before = await network.gateway.status();
        assert.equal((await vrouterctl(network, 'engine', 'stop')).status, 0);
        assert.equal((await network.gateway.status()).engine, null);
        assert.equal(existsSync(network.path('gateway', 'engine.sock')), false);
        assert.equal((await vrouterctl(network, 'engine', 'start')).status, 0);
        const after = await network.gateway.status();
        assert.notEqual(after.engine?.epoch, before.engine?.epoch);
        assert.equal((await network.gateway.peers()).length, 3);
      },
    );
  });
});
