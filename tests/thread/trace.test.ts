/** vrouterctl trace and capture as people use them: against a gateway and an engine that run, with peers that talk. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DemoPeer } from '../../programs/demo/peers/kinds.ts';
import { exchange } from '../../programs/demo/traffic/exchange.ts';
import type { Network } from '../../programs/demo/world/network.ts';
import { needs } from '../world/needs.ts';
import { withNetwork } from './network.ts';

const program = fileURLToPath(new URL('../../vrouterctl', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  out(): Buffer;
  err(): string;
  readonly ended: Promise<number | null>;
}

function vrouterctl(network: Network, ...args: string[]): Running {
  const env = { ...process.env, VROUTER_SOCKET: network.gateway.socketPath };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const pieces: Buffer[] = [];
  let err = '';
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  child.stderr.on('data', (piece: Buffer) => (err += piece.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', (status) => resolve(status)));
  return { child, out: () => Buffer.concat(pieces), err: () => err, ended };
}

async function within(what: string, condition: () => boolean, ms = 20_000): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    assert.ok(waited < ms, what);
    await sleep(20);
  }
}

/** tshark's lines for those packets of a file that the filter takes. */
function tshark(path: string, filter: string): string[] {
  const ran = spawnSync('tshark', ['-r', path, '-Y', filter], { encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout.split('\n').filter((line) => line !== '');
}

test('packets between two peers, told and captured while they pass', { timeout: 180_000 }, async (t) => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const [alice, bob] = network.peers as [DemoPeer, DemoPeer];
    const rows = await network.gateway.peers();
    const aliceIp = rows.find((row) => row.name === 'alice')!.allowedIps.find((prefix) => !prefix.includes(':'))!;
    let run = 0;
    /** Datagrams both ways, through the gateway. */
    const talk = async (): Promise<void> => {
      const { delivered, sent } = await exchange(alice, bob, {
        count: 20,
        size: 200,
        pps: 1000,
        patienceMs: 5000,
        run: ++run,
      });
      assert.equal(delivered, sent);
    };

    await t.test('trace: lines for people, by the names of peers', async () => {
      const trace = vrouterctl(network, 'trace', '--peer', 'bob', '--src', aliceIp, '--proto', 'udp', '--count', '2');
      await within('it looks', () => trace.err().includes('looking at packets'));
      await talk();
      assert.equal(await trace.ended, 0, trace.err());
      const text = trace.out().toString();
      assert.match(text, /wg0 from alice {2}[\d.]+:\d+ > [\d.]+:\d+ {2}udp ttl \d+, \d+ bytes/);
      const nodes = ['wireguard-input', 'ip-input', 'ip-lookup', 'ip-rewrite', 'link-output', 'wireguard-output'];
      assert.match(text, new RegExp(nodes.map((node) => `\n {2}${node}\\b[^\n]*`).join('')));
      assert.match(text, /ttl \d+ -> \d+/);
      assert.match(text, /=> sent by wg0 to bob/);
    });

    await t.test('trace --json: a line each, and an interrupt is a clean end', async () => {
      const trace = vrouterctl(network, 'trace', '--json');
      await within('it looks', () => trace.err().includes('looking at packets'));
      await talk();
      await within('a line', () => trace.out().includes('\n'));
      trace.child.kill('SIGINT');
      assert.equal(await trace.ended, 0, trace.err());
      const [line] = trace.out().toString().split('\n');
      const event = JSON.parse(line!) as { link: string; steps: { node: string }[] };
      assert.deepEqual([event.link, event.steps[0]!.node], ['wg0', 'wireguard-input']);
    });

    await t.test(
      'capture into a program, and into a file with links and directions',
      {
        skip: needs('tshark'),
      },
      async () => {
        const piped = vrouterctl(network, 'capture', '--proto', 'udp');
        const path = network.path('demo.pcapng');
        const written = vrouterctl(
          network,
          'capture',
          '--link',
          'wg0',
          '--proto',
          'udp',
          '--write',
          path,
          '--count',
          '4',
        );
        await within('both have begun', () => piped.out().length >= 24 && existsSync(path));
        await talk();
        await within('packets', () => piped.out().length >= 24 + 4 * (16 + 28));
        piped.child.kill('SIGINT');
        assert.equal(await piped.ended, 0, piped.err());
        assert.equal(await written.ended, 0, written.err());
        const copy = network.path('piped.pcap');
        writeFileSync(copy, piped.out());
        assert.ok(tshark(copy, 'udp').length >= 4);
        assert.deepEqual(tshark(copy, '_ws.malformed'), []);
        assert.equal(tshark(path, 'frame.interface_name == "wg0"').length, 4);
        assert.notEqual(tshark(path, 'frame.packet_flags_direction == 1').length, 0);
        assert.notEqual(tshark(path, 'frame.packet_flags_direction == 2').length, 0);
        assert.equal(statSync(path).mode & 0o777, 0o600);
        const before = readFileSync(path);
        const again = vrouterctl(network, 'capture', '--count', '1', '--seconds', '1', '--write', path);
        assert.deepEqual([await again.ended, /exists already/.test(again.err())], [1, true]);
        assert.deepEqual(readFileSync(path), before);
      },
    );

    await t.test('capture | tshark -r -, as in a shell', { skip: needs('tshark') }, async () => {
      const line = `"${program}" capture --proto udp --count 4 | tshark -l -r - -T fields -e frame.protocols`;
      const env = { ...process.env, VROUTER_SOCKET: network.gateway.socketPath };
      const child = spawn('sh', ['-c', line], { env, stdio: ['ignore', 'pipe', 'ignore'] });
      let out = '';
      child.stdout.on('data', (piece: Buffer) => (out += piece.toString()));
      let ended = false;
      child.on('close', () => (ended = true));
      for (let i = 0; i < 30 && !ended; i++) await talk();
      await within('the pipe ends', () => ended);
      assert.equal(out.match(/^raw:ipv?6?:udp/gm)?.length, 4, out);
    });

    await t.test('mistakes are told', async () => {
      for (const [args, status, text] of [
        [['trace', '--link', 'wg9'], 1, /there is no link wg9 \(object\.notFound\), in link/],
        [['trace', '--peer', 'nobody'], 1, /peer\.notFound/],
        [['trace', '--src', '10.0.0.1/8'], 2, /prefix\.invalid/],
        [['trace', '--proto', 'arp'], 2, /usage/],
        [['capture', '--snaplen', '0'], 2, /usage/],
        [['capture', '--seconds', '1', '--write', '/nowhere/x.pcap'], 1, /data\.unwritable/],
      ] as const) {
        const ran = vrouterctl(network, ...args);
        assert.equal(await ran.ended, status, `${args.join(' ')}: ${ran.err()}`);
        assert.match(ran.err(), text);
      }
    });

    await t.test('when the engine ends, so does the trace, with a failure', async () => {
      const trace = vrouterctl(network, 'trace');
      await within('it looks', () => trace.err().includes('looking at packets'));
      assert.equal(await vrouterctl(network, 'engine', 'stop').ended, 0);
      assert.equal(await trace.ended, 1);
      assert.match(trace.err(), /broke off/);
      const away = vrouterctl(network, 'trace');
      assert.deepEqual([await away.ended, /engine\.unreachable/.test(away.err())], [1, true]);
      assert.equal(await vrouterctl(network, 'engine', 'start').ended, 0);
    });
  });
});
