/** What only a gateway's own file could say once: a port published by the controller is on the plane, and packets go through it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DemoPeer } from '../../programs/demo/peers/kinds.ts';
import { addressOf, exchange } from '../../programs/demo/traffic/exchange.ts';
import { TRAFFIC_PORT } from '../../programs/demo/traffic/port.ts';
import type { Network } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
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

async function done(network: Network, ...args: string[]): Promise<string> {
  const ran = await vrouterctl(network, ...args);
  assert.equal(ran.status, 0, `${args.join(' ')}: ${ran.err}`);
  return ran.out;
}

test('the controller says NAT and host interfaces, the gateway does or refuses', { timeout: 120_000 }, async (t) => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const [alice, bob] = network.peers as [DemoPeer, DemoPeer];
    const inside = addressOf(alice, 4)!;
    const show = (what: string): Promise<string> => done(network, 'show', what);
    const shows = (what: string, text: RegExp): Promise<unknown> =>
      waitFor(`show ${what}: ${text}`, 5000, async () => (text.test(await show(what)) ? true : null));

    await t.test('a published port comes, carries, and goes', async () => {
      const to = `${inside}:${TRAFFIC_PORT}`;
      assert.match(
        await done(network, 'published-port', 'add', 'demo', 'udp/4100', to),
        /^added udp\/4100 to \S+ in default, /,
      );
      const again = await vrouterctl(network, 'published-port', 'add', 'demo', 'udp/4100', to);
      assert.deepEqual([again.status, /intent\.exists\), in hostPort/.test(again.err)], [1, true]);
      await done(network, 'published-port', 'remove', 'demo', 'udp/4100');
      // What peers of the demo send goes to this port.
      const port = `udp/${TRAFFIC_PORT}`;
      await done(network, 'published-port', 'add', 'demo', port, to);
      await shows('nat', new RegExp(`udp[^\\n]*${TRAFFIC_PORT}[^\\n]*${to.replaceAll('.', '\\.')}`));
      assert.doesNotMatch(await show('nat'), /4100/);
      await bob.send({ to: '10.77.0.1', run: 77, count: 5, size: 100, pps: 1000 });
      await waitFor('the packets at the inside host', 5000, async () => {
        const rows = (await alice.report()).received.filter((row) => row.run === 77);
        return rows.reduce((sum, row) => sum + row.count, 0) === 5 ? true : null;
      });
      assert.match(
        await done(network, 'published-port', 'list', 'demo'),
        new RegExp(`default +${port} +any +${to} +-`),
      );
      const one = JSON.parse(await done(network, 'published-port', 'show', 'demo', port, '--json')) as {
        publishedPort: { etag: string };
      };
      assert.deepEqual(one, {
        publishedPort: {
          vrouter: 'demo',
          vrf: 'default',
          protocol: 'udp',
          hostAddress: null,
          hostPort: TRAFFIC_PORT,
          address: inside,
          port: TRAFFIC_PORT,
          count: 1,
          problem: null,
          etag: one.publishedPort.etag,
        },
      });
      await done(network, 'published-port', 'remove', 'demo', port);
      await shows('nat', /^(?![\s\S]*7777)/);
      assert.equal((await vrouterctl(network, 'published-port', 'remove', 'demo', port)).status, 1);
      await bob.send({ to: '10.77.0.1', run: 78, count: 5, size: 100, pps: 1000 });
      await bob.ping('10.77.0.1', 1);
      assert.deepEqual(
        (await alice.report()).received.filter((row) => row.run === 78),
        [],
      );
    });

    await t.test('a masquerade comes and goes', async () => {
      await done(network, 'masquerade', 'add', 'demo', '10.77.0.0/24', '--leaving', 'wg0', '--address', '198.51.100.7');
      await shows('nat', /10\.77\.0\.0\/24[^\n]*wg0[^\n]*/);
      assert.match(await done(network, 'masquerade', 'list', 'demo'), /10\.77\.0\.0\/24 +wg0 +198\.51\.100\.7 +-/);
      await done(network, 'masquerade', 'remove', 'demo', '10.77.0.0/24');
      await shows('nat', /^(?![\s\S]*10\.77\.0\.0\/24)/);
    });

    await t.test('an interface of the machine itself is refused as long as its owner has not agreed', async () => {
      await done(network, 'host-interface', 'add', 'demo', 'vrnever0', '--address', '10.99.0.1/24');
      const row = async (): Promise<string> => done(network, 'host-interface', 'list', 'demo');
      await waitFor('the refusal at the controller', 15_000, async () => (/refused/.test(await row()) ? true : null));
      assert.match(await row(), /vrnever0 +default +1420 +10\.99\.0\.1\/24 +- +intent\.refused/);
      assert.match(await done(network, 'vrouter', 'show', 'demo'), /hostInterface\/vrnever0 +intent\.refused +.*allow/);
      assert.match(await show('stats'), /hostInterface\/vrnever0/);
      assert.doesNotMatch(await show('interfaces'), /vrnever0/);
      await done(network, 'host-interface', 'remove', 'demo', 'vrnever0');
      await shows('stats', /^(?![\s\S]*vrnever0)/);
    });

    await t.test('MSS clamp and source check of the WireGuard interface are shown on both sides', async () => {
      assert.match(await show('interfaces'), /wg0 +up +wireguard +default +\d+ +auto +off /);
      assert.match(await done(network, 'vrouter', 'show', 'demo'), /MSS clamp auto, source check off/);
      await done(network, 'vrouter', 'change', 'demo', '--mss-clamp', 'off', '--source-check', 'strict');
      await shows('interfaces', /wg0 +up +wireguard +default +\d+ +off +strict /);
      // Every packet of a peer comes by the way of its answer: nothing is refused, and nobody had to shake hands anew.
      const { sent, delivered } = await exchange(alice, bob, {
        run: 79,
        count: 20,
        size: 200,
        pps: 1000,
        patienceMs: 5000,
      });
      assert.deepEqual([sent, delivered], [80, 80]);
    });

    await t.test('a peer is changed and a network added: what there is goes on, nobody shakes hands anew', async () => {
      const handshakes = async (): Promise<number[]> => {
        const { peers } = JSON.parse(await done(network, 'show', 'peers', '--json')) as {
          peers: { lastHandshakeUnixMs: number }[];
        };
        return peers.map((row) => row.lastHandshakeUnixMs).sort();
      };
      const before = await handshakes();
      assert.equal(before.filter((at) => at > 0).length, 2);
      const { peer } = JSON.parse(await done(network, 'peer', 'show', 'demo', 'bob', '--json')) as {
        peer: { etag: string };
      };
      await done(network, 'peer', 'set', 'demo', 'bob', '--name', 'bobby', '--allowed-ips', '10.50.0.0/16');
      await done(network, 'vrouter', 'set', 'demo', '--add-network', '10.78.0.0/24', '--mtu', '1400');
      await shows('peers', /bobby[\s\S]*10\.50\.0\.0\/16/);
      await shows('interfaces', /1400[\s\S]*10\.78\.0\.1\/24/);
      const stale = await vrouterctl(network, 'peer', 'set', 'demo', 'bobby', '--name', 'bob', '--if-match', peer.etag);
      assert.deepEqual([stale.status, /request\.outdated/.test(stale.err)], [1, true]);
      const how = { run: 80, count: 20, size: 200, pps: 1000, patienceMs: 5000 };
      const { sent, delivered } = await exchange(alice, bob, how);
      assert.deepEqual([sent, delivered], [80, 80]);
      assert.deepEqual(await handshakes(), before);
    });
  });
});
