/** What packets feel of a look at 5,000 peers: echo through the engine, its time there and back while tables are dumped and while not. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { millis } from '@vrouter/core/time.ts';
import { echoPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { BusyEngine } from '../tests/dump/held.ts';
import type { Looked } from '../tests/dump/looker.ts';
import { manyPeers } from '../tests/dump/peers.ts';
import { Ours } from '../tests/wireguard-go/lab.ts';
import { cpuSeconds } from './cpu.ts';
import type { BenchResult } from './result.ts';

const PEERS = 5000;
const SECONDS = 4;
/** Between two dumps, and between two echo requests. */
const REST_MS = 200;
const PROBE_MS = 0.5;
const looker = fileURLToPath(new URL('../tests/dump/looker.ts', import.meta.url));
const clock = { now: () => millis(performance.now()), unixMs: () => Date.now() };

/** Times there and back of one echo request after the other, for so long. */
async function probe(client: WireguardClient, seconds: number): Promise<number[]> {
  const times: number[] = [];
  const request = echoPacket({ src: '10.99.99.99', dst: '10.99.0.1' });
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    client.inbox.length = 0;
    const began = performance.now();
    client.send(request.slice());
    // Without the event loop's own pauses.
    while (client.inbox.length === 0 && performance.now() - began < 1000) client.receive();
    times.push(performance.now() - began);
    const next = began + PROBE_MS;
    while (performance.now() < next);
    if (times.length % 100 === 0) await sleep(0);
  }
  return times.sort((a, b) => a - b);
}

/** CPU milliseconds of the longest turn of an engine's event loop while somebody looks: what holds without regard to the machine's load. */
async function turns(figures: Record<string, number>): Promise<void> {
  const busy = new BusyEngine();
  try {
    await busy.start(PEERS);
    for (const what of ['all', 'named'] as const) {
      const longest = [...(await busy.watch(what, SECONDS)).longestMs].sort((a, b) => a - b);
      figures[`${what}_turn_cpu_ms_usual`] = Number(longest[Math.floor(longest.length / 2)]!.toFixed(2));
      figures[`${what}_turn_cpu_ms_worst`] = Number(longest.at(-1)!.toFixed(2));
    }
  } finally {
    await busy.stop();
  }
}

export async function run(): Promise<BenchResult> {
  const ours = Ours.alone();
  let dumper: ChildProcess | null = null;
  const socket = await openUdp({ address: '127.0.0.1', port: 0 });
  try {
    await ours.start();
    await ours.gateway(0);
    const [device] = await ours.client!.dump([{ is: 'wireguard', link: 'wg0' }]);
    if (device?.is !== 'wireguard' || device.localPort === null) throw new Error('no device');
    const client = new WireguardClient(socket, clock);
    await ours.do({
      ...{ do: 'peer.set', link: 'wg0', publicKey: client.publicKey, presharedKey: null, persistentKeepalive: 0 },
      allowedIps: ['10.99.99.99/32'],
    });
    for (const actions of manyPeers('wg0', PEERS)) await ours.do(...actions);
    client.connect(ours.publicKey.toBase64(), `127.0.0.1:${device.localPort}`);
    await probe(client, 1);
    const quiet = await probe(client, SECONDS);
    const figures: Record<string, number> = {};
    const take = (name: string, times: readonly number[]): void => {
      for (const [rank, share] of [
        ['p50', 0.5],
        ['p99', 0.99],
        ['p999', 0.999],
        ['max', 1],
      ] as const)
        figures[`${name}_${rank}_us`] = Math.round(
          1000 * times[Math.min(times.length - 1, Math.floor(share * times.length))]!,
        );
    };
    take('quiet', quiet);
    for (const what of ['all', 'named'] as const) {
      dumper = fork(looker, [ours.path, what, String(REST_MS)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      await once(dumper, 'message');
      const before = cpuSeconds(ours.pid);
      take(what, await probe(client, SECONDS));
      const spent = cpuSeconds(ours.pid) - before;
      dumper.send('stop');
      const [told] = (await once(dumper, 'message')) as [Looked];
      figures[`${what}_dump_ms`] = Number(told.msEach.toFixed(1));
      figures[`${what}_dumps`] = told.looks;
      figures[`${what}_cpu_s`] = Number(spent.toFixed(2));
      await once(dumper, 'exit');
      dumper = null;
    }
    await turns(figures);
    return {
      ...{ bench: 'dump', real: false, ours: figures, peers: {}, ratio: {} },
      note: `${PEERS} peers with endpoints; load average ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`,
    };
  } finally {
    dumper?.kill('SIGKILL');
    await socket.close();
    await ours.kill();
  }
}
