/** The engine as a process, over its real socket, with real UDP on loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatKey } from '@vrouter/core/bytes.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { millis } from '@vrouter/core/time.ts';
import { encodeFrame, FrameDecoder } from '@vrouter/engine/control/frame.ts';
import type { DumpRow } from '@vrouter/engine/control/messages.ts';
import { echoPacket, udpPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { generatePrivateKey } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { dial, Engines, type Running, within } from './running.testing.ts';

const engines = new Engines();
const { folder } = engines;
const freshSocket = (): string => engines.freshSocket();
const start = (args: readonly string[]): Promise<Running> => engines.start(args);

const gatewayActions = (privateKey: Uint8Array) =>
  [
    { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
    { do: 'wireguard.set', link: 'wg0', listenPort: 0, privateKey: formatKey(privateKey) },
    { do: 'address.add', link: 'wg0', address: '10.77.0.1/24' },
    { do: 'address.add', link: 'wg0', address: 'fd77::1/64' },
    { do: 'route.set', vrf: 'default', prefix: '10.77.0.0/24', link: 'wg0', nextHop: null },
    { do: 'route.set', vrf: 'default', prefix: 'fd77::/64', link: 'wg0', nextHop: null },
  ] as const;

const clock = { now: () => millis(performance.now()), unixMs: () => Date.now() };

for (const workers of ['1', '2', '3']) {
  const by = `, workers: ${workers}`;
  const startEngine = (...more: string[]): Promise<Running> =>
    start(['--socket', freshSocket(), '--workers', workers, ...more]);

  test(`two clients talk through the engine over real UDP, and the daemon may come and go${by}`, {
    timeout: 30_000,
  }, async (t) => {
    const engine = await startEngine();
    const first = await dial(engine.socket);
    const { epoch, pid } = await first.client.hello;
    assert.equal(pid, engine.child.pid);
    assert.match(epoch, /^[0-9a-f]{16}$/);
    const actions = gatewayActions(generatePrivateKey());
    assert.deepEqual(
      await first.client.apply(actions),
      actions.map(() => null),
    );
    const [device] = await first.client.dump([{ is: 'wireguard', link: 'wg0' }]);
    assert.ok(device?.is === 'wireguard' && device.localPort !== null);

    const clients: WireguardClient[] = [];
    for (const n of [2, 3]) {
      const udp = await openUdp({ address: '127.0.0.1', port: 0 });
      t.after(() => udp.close());
      const client = new WireguardClient(udp, clock);
      client.connect(device.publicKey, `127.0.0.1:${device.localPort}`);
      clients.push(client);
      const allowedIps = [`10.77.0.${n}/32`, `fd77::${n}/128`];
      const peer = {
        do: 'peer.set',
        link: 'wg0',
        publicKey: client.publicKey,
        allowedIps,
        persistentKeepalive: 0,
      } as const;
      assert.deepEqual(await first.client.apply([peer]), [null]);
    }
    const [a, b] = clients as [WireguardClient, WireguardClient];
    a.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
    b.send(echoPacket({ src: 'fd77::3', dst: 'fd77::1' }));
    await within('echo replies', () => a.inbox.length === 1 && b.inbox.length === 1);

    // Bundled by the kernel on both ways, on a link whose padding does not fit between neighbours.
    const wider = { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1500, adminUp: true } as const;
    assert.deepEqual(await first.client.apply([wider]), [null]);
    const bundle = Array.from({ length: 200 }, (_, i) => new Uint8Array(1392).fill(i));
    a.sendAll(bundle.map((payload) => udpPacket({ src: '10.77.0.2', dst: '10.77.0.3' }, payload)));
    await within('200 bundled packets', () => b.inbox.length === 201);
    for (const [i, payload] of bundle.entries())
      assert.deepEqual(b.inbox[i + 1], udpPacket({ src: '10.77.0.2', dst: '10.77.0.3', ttl: 63 }, payload));
    b.inbox.length = 1;

    // The daemon dies without a word; packets keep flowing.
    first.socket.destroy();
    const data = new Uint8Array(1200).fill(0x55);
    const way = { src: '10.77.0.2', dst: '10.77.0.3' };
    for (let i = 0; i < 200; i++) a.send(udpPacket(way, data));
    await within('200 packets', () => b.inbox.length === 201);
    assert.deepEqual(b.inbox[200], udpPacket({ ...way, ttl: 63 }, data));
    b.send(udpPacket({ src: 'fd77::3', dst: 'fd77::2' }, data));
    await within('the way back', () => a.inbox.length === 2);

    const second = await dial(engine.socket);
    assert.equal((await second.client.hello).epoch, epoch, 'the same life');
    const { links, drops } = await second.client.counters();
    assert.deepEqual([links[0]!.rxPackets, links[0]!.txPackets, links[0]!.drops], [403, 403, 0]);
    assert.deepEqual(drops, {});
    const peer = (await second.client.dump()).find((row) => row.is === 'peer' && row.publicKey === a.publicKey);
    assert.ok(peer?.is === 'peer' && peer.lastHandshakeUnixMs !== null);
    assert.ok(Math.abs(peer.lastHandshakeUnixMs - Date.now()) < 20_000);
    assert.equal(peer.rxPackets, 401);
    await second.client.stop();
    await second.client.closed;
    assert.equal(await engine.ended, 0);
    assert.throws(() => statSync(engine.socket), 'the socket file is gone');
  });

  test(`only the owner may connect, and a socket in use is a clear error${by}`, { timeout: 30_000 }, async () => {
    const engine = await startEngine();
    assert.equal(statSync(engine.socket).mode & 0o777, 0o600);
    const second = await start(['--socket', engine.socket, '--workers', workers]);
    assert.equal(await second.ended, 1);
    assert.match(second.logs(), /port\.inUse/);
    // The first is unharmed.
    const { client } = await dial(engine.socket);
    assert.equal((await client.hello).pid, engine.child.pid);
    engine.child.kill('SIGTERM');
    assert.equal(await engine.ended, 0);
    await client.closed;
    await assert.rejects(
      client.counters(),
      (error) => error instanceof ProblemError && error.problem.code === 'engine.unreachable',
    );
  });

  test(`a socket left behind by a killed engine is taken over${by}`, { timeout: 30_000 }, async () => {
    const engine = await startEngine();
    engine.child.kill('SIGKILL');
    await engine.ended;
    const next = await start(['--socket', engine.socket, '--workers', workers]);
    const { client } = await dial(next.socket);
    await client.hello;
    next.child.kill('SIGINT');
    assert.equal(await next.ended, 0);
  });

  test(`an engine outlives whoever started it: nobody reads its log, the terminal hangs up${by}`, {
    timeout: 30_000,
  }, async () => {
    const engine = await startEngine('--log-level', 'trace');
    engine.child.stderr!.destroy();
    engine.child.stdout!.destroy();
    for (let i = 0; i < 3; i++) {
      const socket = connect(engine.socket);
      socket.resume();
      // Answered with a warning in the log.
      socket.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
      await once(socket, 'close');
    }
    engine.child.kill('SIGHUP');
    await sleep(100);
    const { client } = await dial(engine.socket);
    assert.equal((await client.hello).pid, engine.child.pid);
    await client.stop();
    assert.equal(await engine.ended, 0);
  });

  test(`garbage is answered and disconnected, and harms nobody else${by}`, { timeout: 30_000 }, async () => {
    const engine = await startEngine();
    const { client } = await dial(engine.socket);
    await client.hello;
    const rows: readonly [string, Uint8Array][] = [
      ['a frame that is too long', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
      ['no JSON', Uint8Array.of(0, 0, 0, 3, 0x7b, 0x7b, 0x7b)],
      ['no UTF-8', Uint8Array.of(0, 0, 0, 1, 0xff)],
      ['HTTP', new TextEncoder().encode('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
      ['no id', encodeFrame({ method: 'dump' })],
      ['an empty frame', Uint8Array.of(0, 0, 0, 0)],
    ];
    for (const [what, bytes] of rows) {
      const socket = connect(engine.socket);
      const decoder = new FrameDecoder();
      socket.on('data', (chunk: Buffer) => decoder.push(chunk));
      socket.write(bytes);
      await once(socket, 'close');
      const hello = decoder.next();
      const answer = decoder.next();
      assert.ok(hello?.ok && answer?.ok, what);
      const { ok, error } = answer.value as { ok: boolean; error: { code: string } };
      assert.deepEqual([ok, error.code], [false, 'engine.protocol'], what);
    }
    // A well-formed request with a wrong field is answered with the field, and the client may go on.
    const before = await client.dump();
    const results = await client.apply([
      {
        do: 'link.set',
        name: 'wg0',
        type: 'wireguard',
        vrf: 'default',
        mtu: 'big' as unknown as number,
        adminUp: true,
      },
      { do: 'vrf.set', name: 'blue', tableId: 10 },
    ]);
    assert.deepEqual([results[0]?.code, results[0]?.field, results[1]], ['input.invalid', 'mtu', null]);
    assert.equal((await client.dump()).length, before.length + 1);
    engine.child.kill('SIGTERM');
    assert.equal(await engine.ended, 0);
  });

  test(`a client that does not read stops itself and nobody else${by}`, { timeout: 60_000 }, async () => {
    const engine = await startEngine();
    const { client } = await dial(engine.socket);
    await client.hello;
    const routes = Array.from({ length: 20_000 }, (_, i) => ({
      do: 'route.set' as const,
      vrf: 'default',
      prefix: `10.${i >> 8}.${i & 0xff}.0/24`,
      link: null,
      nextHop: null,
    }));
    assert.ok((await client.apply(routes)).every((result) => result === null));
    const deaf = connect(engine.socket);
    deaf.pause();
    await once(deaf, 'connect');
    // A dump is some 2 MiB; 500 of them would be a GiB.
    for (let id = 1; id <= 500; id++) deaf.write(encodeFrame({ id, method: 'dump' }));
    await sleep(1500);
    const rows: readonly DumpRow[] = await client.dump();
    assert.equal(rows.length, 20_001);
    const status = readFileSync(`/proc/${engine.child.pid}/status`, 'utf8');
    const residentKib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
    assert.ok(residentKib < 400 * 1024, `${residentKib} KiB`);
    deaf.destroy();
    engine.child.kill('SIGTERM');
    assert.equal(await engine.ended, 0);
  });
}

test('usage errors exit 2, help and version exit 0', { timeout: 30_000 }, async () => {
  const rows: readonly [readonly string[], number, RegExp][] = [
    [[], 2, /--socket/],
    [['--socket', freshSocket(), '--bogus'], 2, /unknown option/],
    [['--socket', freshSocket(), '--log-level', 'loud'], 2, /Allowed choices/],
    [['--socket', freshSocket(), '--workers', '0'], 2, /a number from 1 to 8/],
    [['--socket', freshSocket(), '--workers', '9'], 2, /a number from 1 to 8/],
    [['--socket', freshSocket(), 'extra'], 2, /too many arguments/],
    [['--help'], 0, /Usage: vrouter-engine/],
    [['--version'], 0, /^\d+\.\d+\.\d+$/m],
    [['--socket', join(folder, 'no-such-folder', 'x.sock')], 1, /data\.unwritable/],
    [['--socket', `/${'x'.repeat(200)}`], 2, /input\.invalid/],
  ];
  for (const [args, code, text] of rows) {
    const run = await start(args);
    assert.equal(await run.ended, code, args.join(' '));
    assert.match(run.logs(), text);
  }
});
