/** Real hosts behind NAT: curl, ping, traceroute, iperf3 and UDP through real programs, by each way out there is. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { LAB_NEEDS } from '../wireguard-go/lab.ts';
import { needs } from '../world/needs.ts';
import { GATEWAY, NatWorld, OUTSIDE, SERVER, SERVER_PORT, throughAPort, throughTheHost } from './world.ts';

const skip = needs(...LAB_NEEDS, 'curl', 'traceroute', 'iperf3');
const at = (host: string, port: number, path: string): string => `http://${host}:${port}/${path}`;

for (const way of [throughTheHost, throughAPort])
  for (const vrf of ['default', 'blue'])
    describe(`out by ${way.name}, peers in the VRF ${vrf}`, { skip }, () => {
      const world = new NatWorld(way, vrf);
      before(() => world.start(), { timeout: 60_000 });
      after(() => world.stop());

      test('TCP, UDP and echo go out under the outside address and come back', async () => {
        for (const place of ['a', 'b'] as const) {
          assert.match(world.curl(place, at(SERVER, SERVER_PORT, 'who')), /192\.0\.2\.2:\d+$/);
          const [answer] = await world.ask(place, SERVER, SERVER_PORT);
          assert.match(answer ?? '', /^192\.0\.2\.2:\d+ 10$/);
          const ping = world.run(place, 'ping', '-n', '-c', '3', '-i', '0.2', '-W', '2', SERVER);
          assert.match(ping.output, /3 received/);
        }
        const { sessions, total } = await world.daemon.api.nat();
        assert.equal(total, sessions.length);
        assert.deepEqual([...new Set(sessions.map(({ protocol }) => protocol))].sort(), ['icmp', 'tcp', 'udp']);
      });

      test('a traceroute through the masquerade sees every hop, by UDP and by echo', () => {
        for (const kind of ['-U', '-I']) {
          const hops = [GATEWAY, ...way.hops, '192.0.2.6', SERVER];
          const { output } = world.run('a', 'traceroute', '-n', kind, '-q', '1', '-w', '3', '-m', '6', SERVER);
          const seen = [...output.matchAll(/^ *\d+ +(\S+)/gm)].slice(0, hops.length).map((found) => found[1]);
          assert.deepEqual(seen, hops, output);
        }
      });

      test('large datagrams pass in pieces, through and to the gateway', async () => {
        const large = ['-n', '-c', '3', '-i', '0.2', '-W', '2', '-M', 'dont', '-s', '4000'];
        for (const [place, to] of [
          ['a', SERVER],
          ['a', GATEWAY],
          ['s', OUTSIDE],
        ] as const) {
          const { code, output } = world.run(place, 'ping', ...large, to);
          assert.equal(code, 0, `${place} to ${to}: ${output}`);
          assert.match(output, /3 received/);
        }
        const [answer] = await world.ask('a', SERVER, SERVER_PORT, 1, 6000);
        assert.match(answer ?? '', /^192\.0\.2\.2:\d+ 6000$/);
      });

      test('path MTU discovery works through the masquerade: our own link, and a router behind it', () => {
        const forbidding = ['-n', '-c', '3', '-i', '0.3', '-W', '1', '-M', 'do', '-s'];
        const ours = world.run('b', 'ping', ...forbidding, String(1420 - 28), SERVER);
        assert.match(ours.output, new RegExp(`mtu ?= ?${way.mtu}`), ours.output);
        const theirs = world.run('b', 'ping', ...forbidding, String(way.mtu - 28), SERVER);
        assert.match(theirs.output, /mtu ?= ?1300/, theirs.output);
        assert.match(world.run('b', 'ip', 'route', 'get', SERVER).output, /mtu 1300/);
        const fits = world.run('b', 'ping', ...forbidding, String(1300 - 28), SERVER);
        assert.match(fits.output, /3 received/, fits.output);
      });

      test('big transfers both ways, whole; the kernel finds the narrow cable by itself', async (t) => {
        const bytes = 20_000_000;
        const up = world.run(
          'a',
          'sh',
          '-c',
          `head -c ${bytes} /dev/zero | curl -sS --max-time 25 -T - ${at(SERVER, SERVER_PORT, '')}`,
        );
        assert.equal(up.output, String(bytes));
        assert.match(world.run('a', 'ip', 'route', 'get', SERVER).output, /mtu 1300/);
        const down = world.curl(
          'a',
          '-o',
          '/dev/null',
          '-w',
          '%{size_download}',
          at(SERVER, SERVER_PORT, `bytes/${bytes}`),
        );
        assert.equal(down, String(bytes));
        const listening = world.spawn('s', 'iperf3', '-s', '--forceflush');
        await once(listening.stdout!, 'data');
        listening.stdout!.resume();
        for (const args of [[], ['-R'], ['-u', '-b', '100M', '-l', '1200'], ['-u', '-b', '100M', '-l', '4000', '-R']]) {
          const { code, stdout, output } = world.run('a', 'iperf3', '-c', SERVER, '-t', '1', '-J', ...args);
          assert.equal(code, 0, output);
          const { end } = JSON.parse(stdout) as {
            end: { [sum: string]: { bits_per_second: number; lost_percent?: number } };
          };
          const { bits_per_second: bits, lost_percent: lost } = (end.sum_received ?? end.sum)!;
          t.diagnostic(
            `iperf3 ${args.join(' ')}: ${(bits / 1e6).toFixed(0)} Mbit/s${lost === undefined ? '' : `, ${lost.toFixed(1)} % lost`}`,
          );
          assert.ok(bits > 1e6, output);
        }
      });
    });
