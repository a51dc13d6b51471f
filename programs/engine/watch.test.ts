/** Traces and captures of an engine that runs as a process, with real UDP on loopback and tshark as judge. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatKey } from '@vrouter/core/bytes.ts';
import { millis } from '@vrouter/core/time.ts';
import { EngineClient } from '@vrouter/engine/control/client.ts';
import type { CaptureRow, TraceRow } from '@vrouter/engine/control/trace-messages.ts';
import { echoPacket, udpPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { ownerOf } from '@vrouter/engine/workers/share.ts';
import { generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { LINKTYPE_RAW, pcapHeader, pcapRecord } from '@vrouter/wire/pcap/pcap.ts';
import { needs } from '../../tests/world/needs.ts';
import { workerOptions, workersWanted } from '../../tests/world/workers.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-watch-'));
const socketPath = join(folder, 'engine.sock');
const clock = { now: () => millis(performance.now()), unixMs: () => Date.now() };
const peers: WireguardClient[] = [];
const closing: (() => Promise<void>)[] = [];
let child: ChildProcess;

const workers = workersWanted ?? 1;

/** A key whose peer lives on the worker: with several, the two peers have different ones. */
function keyOn(worker: number): Uint8Array {
  for (;;) {
    const key = generatePrivateKey();
    if (ownerOf(systemCrypto().publicKey(key), workers) === worker) return key;
  }
}

async function dial(): Promise<{ client: EngineClient; socket: Socket }> {
  const socket = connect(socketPath);
  await once(socket, 'connect');
  const client = new EngineClient({
    write: (bytes) => void socket.write(bytes),
    onData: (callback) => void socket.on('data', callback),
    onClose: (callback) => void socket.on('close', callback),
    close: () => void socket.destroy(),
  });
  await client.hello;
  return { client, socket };
}

async function within(what: string, condition: () => boolean, ms = 10_000): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    assert.ok(waited < ms, what);
    await sleep(5);
  }
}

before(async () => {
  child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), '--socket', socketPath, ...workerOptions], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await within('the engine is ready', () => log.includes('"msg":"ready"'), 20_000);
  const { client } = await dial();
  const privateKey = formatKey(generatePrivateKey());
  const results = await client.apply([
    { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
    { do: 'wireguard.set', link: 'wg0', listenPort: 0, privateKey },
    { do: 'address.add', link: 'wg0', address: '10.77.0.1/24' },
    { do: 'route.set', vrf: 'default', prefix: '10.77.0.0/24', link: 'wg0', nextHop: null },
  ]);
  assert.deepEqual(results, [null, null, null, null]);
  const [device] = await client.dump([{ is: 'wireguard', link: 'wg0' }]);
  assert.ok(device?.is === 'wireguard');
  for (const n of [2, 3]) {
    const udp = await openUdp({ address: '127.0.0.1', port: 0 });
    closing.push(() => udp.close());
    const peer = new WireguardClient(udp, clock, keyOn(n % workers));
    peer.connect(device.publicKey, `127.0.0.1:${device.localPort}`);
    peers.push(peer);
    const allowedIps = [`10.77.0.${n}/32`];
    const set = { do: 'peer.set', link: 'wg0', publicKey: peer.publicKey, allowedIps, persistentKeepalive: 0 } as const;
    assert.deepEqual(await client.apply([set]), [null]);
    peer.send(echoPacket({ src: `10.77.0.${n}`, dst: '10.77.0.1' }));
    await within('a session', () => peer.inbox.length === 1);
  }
  client.close();
});

after(async () => {
  if (child.exitCode === null) {
    child.kill('SIGTERM');
    await once(child, 'close');
  }
  for (const close of closing) await close();
  rmSync(folder, { recursive: true });
});

const way = { src: '10.77.0.2', dst: '10.77.0.3' };
const data = new Uint8Array(100).fill(7);

test('trace tells the nodes in order, and why a packet with TTL 1 went no further', { timeout: 60_000 }, async () => {
  const { client } = await dial();
  const stop = new AbortController();
  const rows: TraceRow[] = [];
  let started = false;
  const ended = client.trace(
    { protocol: 'udp', peer: peers[0]!.publicKey },
    (some) => {
      started = true;
      rows.push(...some);
    },
    stop.signal,
  );
  await within('the trace has begun', () => started);
  peers[0]!.send(udpPacket(way, data));
  peers[0]!.send(udpPacket({ ...way, ttl: 1 }, data));
  await within('two rows', () => rows.length === 2);
  const path = ['wireguard-input', 'ip-input', 'ip-lookup', 'ip-rewrite', 'link-output', 'wireguard-output'];
  const [sent, late] = [rows.find((row) => row.drop === null)!, rows.find((row) => row.drop !== null)!];
  const nodes = (row: TraceRow): string[] => row.steps.map((step) => step.node);
  // The other peer's worker seals.
  assert.deepEqual(nodes(sent), workers === 1 ? path : [...path, ...path.slice(4)]);
  assert.deepEqual([sent.end, sent.outPeer], ['sent', peers[1]!.publicKey]);
  // The sender hears of it: the row goes on as the error.
  assert.deepEqual(nodes(late), [...path.slice(0, 4), 'icmp-error', ...path.slice(2)]);
  assert.deepEqual([late.end, late.drop, late.packet?.ttl], ['dropped', 'ttlExpired', 1]);
  // Control goes on beside it.
  assert.equal((await client.counters()).links.length, 1);
  stop.abort();
  assert.deepEqual(await ended, { lost: 0 });
  client.close();
});

test('a capture has as many packets as the counters, and tshark finds nothing malformed', {
  timeout: 60_000,
  skip: needs('tshark'),
}, async () => {
  const { client } = await dial();
  const counted = (await client.counters()).links[0]!;
  const stop = new AbortController();
  const rows: CaptureRow[] = [];
  let started = false;
  const ended = client.capture(
    {},
    65_535,
    (some) => {
      started = true;
      rows.push(...some);
    },
    stop.signal,
  );
  await within('the capture has begun', () => started);
  peers[1]!.inbox.length = 0;
  for (let i = 0; i < 300; i++) peers[0]!.send(udpPacket({ ...way, ttl: i % 10 === 0 ? 1 : 64 }, data));
  await within('270 packets', () => peers[1]!.inbox.length === 270);
  for (let i = 0; i < 20; i++) peers[1]!.send(echoPacket({ src: '10.77.0.3', dst: '10.77.0.1' }));
  await within('20 replies', () => peers[1]!.inbox.length === 290);
  stop.abort();
  assert.deepEqual(await ended, { lost: 0 });
  const now = (await client.counters()).links[0]!;
  client.close();
  const number = (direction: string): number => rows.filter((row) => row.direction === direction).length;
  assert.deepEqual(
    [number('in'), number('out'), number('drop')],
    [now.rxPackets - counted.rxPackets, now.txPackets - counted.txPackets, now.drops - counted.drops],
  );
  assert.ok(number('in') === 320 && number('drop') === 30);
  const path = join(folder, 'all.pcap');
  const records = rows.map((row) => {
    const bytes = Uint8Array.fromBase64(row.data);
    return pcapRecord(row.unixMs, bytes, 0, bytes.length, row.length);
  });
  writeFileSync(path, Buffer.concat([pcapHeader(LINKTYPE_RAW, 65_535), ...records]));
  const count = (filter: string): number => {
    const { status, stdout, stderr } = spawnSync('tshark', ['-r', path, '-Y', filter], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.split('\n').filter((line) => line !== '').length;
  };
  assert.equal(count('frame'), rows.length);
  assert.equal(count('_ws.malformed || ip.checksum.status == bad || udp.checksum.status == bad'), 0);
  assert.equal(count('ip.ttl == 63 && udp'), 270);
  assert.equal(count('icmp.type == 0'), 20);
});

test('a reader that is gone or does not read harms no packet', { timeout: 60_000 }, async () => {
  const deaf = await dial();
  let started = false;
  const signal = new AbortController().signal;
  const ended = deaf.client.capture({}, 65_535, () => (started = true), signal);
  ended.catch(() => null);
  await within('the capture has begun', () => started);
  deaf.socket.pause();
  const big = new Uint8Array(1300);
  peers[1]!.inbox.length = 0;
  for (let i = 0; i < 40; i++) {
    peers[0]!.sendAll(Array.from({ length: 100 }, () => udpPacket(way, big)));
    await within('100 packets more', () => peers[1]!.inbox.length === 100 * (i + 1));
  }
  deaf.socket.destroy();
  await assert.rejects(ended, /connection to the engine has ended/);
  const { client } = await dial();
  const end = await client.trace({ seconds: 1 }, () => {}, signal);
  assert.deepEqual(end, { lost: 0 });
  client.close();
});
