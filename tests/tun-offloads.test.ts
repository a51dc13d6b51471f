/**
 * Super-packets through the engine, between two real kernels: each has a TUN link of one engine, which sees finished packets only.
 *
 *     namespace a, with the engine                                  namespace b
 *     kernel 10.98.1.1 fd98:1::1 -- left [ engine ] right -- 10.98.2.1 fd98:2::1 kernel
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { inside, ip, Lab, type Ours } from './wireguard-go/lab.ts';
import { needs, programPath } from './world/needs.ts';

const MTU = 1420;
const BYTES = 20_000_000;

const server = (family: 4 | 6): string => `
  const { createHash } = require('node:crypto');
  require('node:net').createServer((socket) => {
    const hash = createHash('sha256');
    socket.on('data', (chunk) => hash.update(chunk));
    socket.on('end', () => { console.log(hash.digest('hex')); process.exit(0); });
  }).listen(8080, '${family === 4 ? '10.98.2.1' : 'fd98:2::1'}', () => console.log('listening'));`;
const client = (host: string, nodelay: boolean): string => `
  const { createHash, randomFillSync } = require('node:crypto');
  const hash = createHash('sha256');
  const socket = require('node:net').connect(8080, '${host}', async () => {
    socket.setNoDelay(${nodelay});
    for (let sent = 0; sent < ${BYTES}; ) {
      const chunk = randomFillSync(Buffer.alloc(${nodelay} ? 1 + (sent * 7) % 9000 : 100000));
      hash.update(chunk);
      sent += chunk.length;
      if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve));
    }
    socket.end(() => console.log(hash.digest('hex')));
  });`;

const here = new URL('../packages/host/udp/', import.meta.url).href;
/** Datagrams with numbers, in runs that our own socket hands to the kernel as one (UDP_SEGMENT). */
const shoot = (family: 4 | 6): string => `
  import { openUdp } from '${here}open.ts';
  import { pattern, rowsOf } from '${here}testing.ts';
  import { parseEndpoint } from '@vrouter/core/endpoint.ts';
  const socket = await openUdp({ address: '::', port: 0 });
  const to = parseEndpoint('${family === 4 ? '10.98.2.1' : '[fd98:2::1]'}:9000').value;
  for (let run = 0; run < 10; run++) {
    socket.send(rowsOf(Array.from({ length: 40 }, (_, i) => pattern(i === 39 ? 77 : 1200, i)), to));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await socket.close();`;
const hear = `
  import { openUdp } from '${here}open.ts';
  import { Inbox, pattern } from '${here}testing.ts';
  const socket = await openUdp({ address: '::', port: 9000 });
  const inbox = new Inbox(socket);
  console.log('listening');
  await inbox.until(400);
  const good = inbox.arrivals.every(({ bytes }, i) => Buffer.compare(bytes, pattern(i % 40 === 39 ? 77 : 1200, i % 40)) === 0);
  console.log(good ? 'good' : 'bad');
  await socket.close();`;

for (const offloads of [true, false])
  describe(`two kernels through one engine, ${offloads ? 'with' : 'without'} offloads`, {
    skip: needs('root', 'netns', 'tun', 'ip', 'ping'),
    timeout: 120_000,
  }, () => {
    let lab: Lab;
    let a: string;
    let b: string;
    let engine: Ours;

    before(async () => {
      lab = new Lab();
      a = lab.hub;
      b = lab.island('b');
      engine = await lab.engine(a, { env: offloads ? {} : { VROUTER_TUN_OFFLOADS: 'off' } });
      for (const [name, n] of [
        ['left', 1],
        ['right', 2],
      ] as const)
        await engine.do(
          { do: 'link.set', name, type: 'tun', vrf: 'default', mtu: MTU, adminUp: true },
          { do: 'route.set', vrf: 'default', prefix: `10.98.${n}.0/24`, link: name, nextHop: null },
          { do: 'route.set', vrf: 'default', prefix: `fd98:${n}::/64`, link: name, nextHop: null },
        );
      ip('-n', a, 'link', 'set', 'right', 'netns', b);
      for (const [space, name, n] of [
        [a, 'left', 1],
        [b, 'right', 2],
      ] as const) {
        ip('-n', space, 'link', 'set', name, 'mtu', String(MTU), 'up');
        ip('-n', space, 'addr', 'add', `10.98.${n}.1/24`, 'dev', name);
        ip('-n', space, 'addr', 'add', `fd98:${n}::1/64`, 'dev', name, 'nodad');
        ip('-n', space, 'route', 'add', `10.98.${3 - n}.0/24`, 'dev', name);
        ip('-n', space, 'route', 'add', `fd98:${3 - n}::/64`, 'dev', name);
      }
    });
    after(() => lab.close());

    /** Packets as the kernel counts them on its side, a super-packet as one; and as the engine does. */
    const kernels = (): { readonly sent: number; readonly received: number } => {
      const count = (space: string, name: string, what: string): number => {
        const path = `/sys/class/net/${name}/statistics/${what}`;
        const { stdout } = spawnSync(programPath('ip')!, ['netns', 'exec', space, 'cat', path], { encoding: 'utf8' });
        return Number(stdout);
      };
      return { sent: count(a, 'left', 'tx_packets'), received: count(b, 'right', 'rx_packets') };
    };
    const engines = async (): Promise<{ readonly sent: number; readonly received: number }> => {
      const { links } = await engine.client!.counters();
      const link = (name: string) => links.find((one) => one.name === name)!;
      return { sent: link('left').rxPackets, received: link('right').txPackets };
    };

    /** Runs both ends to their ends; what the two printed. */
    async function talk(listener: readonly string[], speaker: readonly string[]): Promise<[string, string]> {
      const heard = inside(b, process.execPath, listener, { stdio: ['ignore', 'pipe', 'inherit'] });
      let listened = '';
      heard.stdout!.on('data', (chunk: Buffer) => {
        listened += chunk.toString();
      });
      await once(heard.stdout!, 'data');
      const spoken = inside(a, process.execPath, speaker, { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      spoken.stdout!.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      await Promise.all([once(heard, 'close'), once(spoken, 'close')]);
      return [listened.trim().split('\n').at(-1)!, said.trim()];
    }

    const noDrops = async (): Promise<void> => {
      const { offloadMalformed = 0, mtuExceeded = 0, ipv4Checksum = 0 } = await engine.drops();
      assert.deepEqual(
        { offloadMalformed, mtuExceeded, ipv4Checksum },
        { offloadMalformed: 0, mtuExceeded: 0, ipv4Checksum: 0 },
      );
    };

    test('the engine says what is shared', async () => {
      const rows = await engine.client!.dump([{ is: 'link', name: 'left' }]);
      const [row] = rows;
      assert.ok(row?.is === 'link');
      if (offloads) assert.match(row.superPackets!, /^tcp/);
      else assert.equal(row.superPackets, 'none');
    });

    for (const [family, host] of [
      [4, '10.98.2.1'],
      [6, 'fd98:2::1'],
    ] as const)
      for (const nodelay of [false, true])
        test(`TCP over IPv${family} arrives as it was sent, ${nodelay ? 'in writes of any size' : 'in bulk'}`, async () => {
          const before = [kernels(), await engines()] as const;
          const [heard, said] = await talk(['-e', server(family)], ['-e', client(host, nodelay)]);
          assert.match(said, /^[0-9a-f]{64}$/);
          assert.equal(heard, said);
          const after = [kernels(), await engines()] as const;
          const [sent, cut] = [after[0].sent - before[0].sent, after[1].sent - before[1].sent];
          const [joined, received] = [after[0].received - before[0].received, after[1].received - before[1].received];
          assert.ok(cut > BYTES / MTU, `${cut} packets`);
          if (offloads)
            assert.ok(sent < cut / 4 && joined < received / 2, `${sent} as ${cut}, ${received} as ${joined}`);
          else assert.deepEqual([sent, joined], [cut, received]);
          await noDrops();
        });

    for (const family of [4, 6] as const)
      test(`UDP over IPv${family} in runs arrives as it was sent`, async () => {
        const [heard] = await talk(['--input-type=module', '-e', hear], ['--input-type=module', '-e', shoot(family)]);
        assert.equal(heard, 'good');
        await noDrops();
      });
  });
