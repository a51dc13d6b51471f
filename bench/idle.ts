/** What 64 idle peers cost: CPU of the engine over 20 s after their handshakes, sessions up, no keepalives. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { millis } from '@vrouter/core/time.ts';
import { EngineClient } from '@vrouter/engine/control/client.ts';
import type { DumpRow } from '@vrouter/engine/control/messages.ts';
import { echoPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { cpuSeconds } from './cpu.ts';
import type { BenchResult } from './result.ts';

const PEERS = 64;
const SECONDS = 20;
/** Passive keepalives of the handshake's packets go out 10 s later; idle begins after them. */
const SETTLE_MS = 11_000;
const vrouterd = fileURLToPath(new URL('../programs/vrouterd/main.ts', import.meta.url));
const clock = { now: () => millis(performance.now()), unixMs: () => Date.now() };

const addressOf = (n: number): string => `10.77.0.${n + 2}`;

export async function run(): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'vr-idle-'));
  const clients: WireguardClient[] = [];
  const sockets: { close(): Promise<void> }[] = [];
  for (let i = 0; i < PEERS; i++) {
    const socket = await openUdp({ address: '127.0.0.1', port: 0, receiveBufferBytes: 1 << 16 });
    sockets.push(socket);
    clients.push(new WireguardClient(socket, clock));
  }
  // Intents are JSON, and JSON is YAML.
  const config = { plane: 'userspace', intents: intentsFor(clients) };
  writeFileSync(join(folder, 'vrouterd.yaml'), JSON.stringify(config));
  const daemon = spawn(
    process.execPath,
    [vrouterd, '--config', join(folder, 'vrouterd.yaml'), '--data', join(folder, 'data'), '--log-level', 'error'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  let engine: EngineClient | null = null;
  try {
    engine = await dial(join(folder, 'data', 'engine.sock'));
    const { pid } = await engine.hello;
    const device = await configured(engine);
    for (const [i, client] of clients.entries()) {
      client.connect(device.publicKey, `127.0.0.1:${device.localPort}`);
      client.send(echoPacket({ src: addressOf(i), dst: '10.77.0.1' }));
    }
    const answered = (): boolean => clients.every((client) => client.inbox.length > 0);
    for (let tries = 0; !answered(); tries++) {
      if (tries > 200) throw new Error('not every peer was answered');
      await sleep(50);
      for (const client of clients) if (client.device.wakeAt() <= clock.now()) client.tick();
    }
    await sleep(SETTLE_MS);
    const began = performance.now();
    const before = [cpuSeconds(pid), cpuSeconds(daemon.pid!)] as const;
    await sleep(SECONDS * 1000);
    const seconds = (performance.now() - began) / 1000;
    const percent = (now: number, then: number): number => Number(((100 * (now - then)) / seconds).toFixed(3));
    const ours = { cpu_percent_64: percent(cpuSeconds(pid), before[0]) };
    const rest = percent(cpuSeconds(daemon.pid!), before[1]);
    return {
      bench: 'idle',
      real: false,
      ours,
      peers: {},
      ratio: {},
      note: `the engine alone, over ${SECONDS} s, by /proc in steps of 0.05 %; vrouterd beside it takes ${rest} %`,
    };
  } finally {
    // The daemon first: it would start the engine again.
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGTERM');
    await ended;
    await engine?.stop().catch(() => {});
    engine?.close();
    for (const socket of sockets) await socket.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function intentsFor(clients: readonly WireguardClient[]): unknown[] {
  return [
    { kind: 'gatewayInterface', name: 'wg0', type: 'wireguard', vrf: 'default', listenPort: 0, mtu: 1420 },
    { kind: 'address', interface: 'wg0', address: '10.77.0.1/24' },
    ...clients.map((client, i) => ({
      kind: 'peer',
      interface: 'wg0',
      name: `peer${i}`,
      publicKey: client.publicKey,
      presharedKey: null,
      allowedIps: [`${addressOf(i)}/32`],
      endpoint: null,
      persistentKeepalive: 0,
    })),
  ];
}

/** The engine's device once every peer is there. */
async function configured(engine: EngineClient): Promise<{ readonly publicKey: string; readonly localPort: number }> {
  for (let tries = 0; tries < 400; tries++) {
    const rows: readonly DumpRow[] = await engine.dump();
    const device = rows.find((row) => row.is === 'wireguard');
    if (device?.localPort && rows.filter((row) => row.is === 'peer').length === PEERS)
      return { publicKey: device.publicKey, localPort: device.localPort };
    await sleep(50);
  }
  throw new Error('vrouterd did not configure the engine');
}

async function dial(path: string): Promise<EngineClient> {
  for (let tries = 0; tries < 400; tries++) {
    const socket = connect(path);
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (connected) {
      socket.on('error', () => socket.destroy());
      return new EngineClient({
        write: (bytes) => void socket.write(bytes),
        onData: (callback) => void socket.on('data', callback),
        onClose: (callback) => void socket.once('close', callback),
        close: () => void socket.destroy(),
      });
    }
    await sleep(50);
  }
  throw new Error(`nobody listens on ${path}`);
}
