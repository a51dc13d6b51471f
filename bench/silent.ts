/** What packets and control feel of peers that never answer, each with a keepalive: 5,000 and 100,000 of them, on one worker. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Action } from '@vrouter/engine/control/messages.ts';
import { echoPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { systemClock } from '@vrouter/host/clock/clock.ts';
import { systemRng } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { Ours } from '../tests/wireguard-go/lab.ts';
import { cpuSeconds } from './cpu.ts';
import type { BenchResult } from './result.ts';

const SECONDS = 12;
const PROBE_MS = 20;
const PEERS_AT_ONCE = 5000;

function silentPeer(i: number, port: number): Action {
  const key = new Uint8Array(32);
  systemRng().fill(key);
  const allowedIps = [`11.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`];
  const endpoint = `127.0.0.1:${port}`;
  return { do: 'peer.set', link: 'wg0', publicKey: key.toBase64(), allowedIps, endpoint, persistentKeepalive: 25 };
}

/** Figures of an engine with so many silent peers, by name. */
async function measure(peers: number): Promise<{ readonly [name: string]: number }> {
  const ours = Ours.alone();
  const ear = createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
  const udp = await openUdp({ address: '127.0.0.1', port: 0 });
  try {
    await ours.start();
    await ours.gateway(0);
    const [device] = await ours.client!.dump([{ is: 'wireguard', link: 'wg0' }]);
    if (device?.is !== 'wireguard' || device.localPort === null) throw new Error('no device');
    const talker = new WireguardClient(udp, systemClock());
    talker.connect(device.publicKey, `127.0.0.1:${device.localPort}`);
    const allowedIps = ['10.99.0.2/32'];
    await ours.do({ do: 'peer.set', link: 'wg0', publicKey: talker.publicKey, allowedIps, persistentKeepalive: 0 });
    ear.bind(0, '127.0.0.1');
    await once(ear, 'listening');
    let heard = 0;
    ear.on('message', () => heard++);
    const { port } = ear.address();
    for (let i = 0; i < peers; i += PEERS_AT_ONCE)
      await ours.do(...Array.from({ length: PEERS_AT_ONCE }, (_, n) => silentPeer(i + n, port)));

    const echoMs: number[] = [];
    const controlMs: number[] = [];
    const cpu = cpuSeconds(ours.pid);
    const before = heard;
    const began = performance.now();
    while (performance.now() - began < SECONDS * 1000) {
      talker.inbox.length = 0;
      const sent = performance.now();
      talker.send(echoPacket({ src: '10.99.0.2', dst: '10.99.0.1' }));
      while (talker.inbox.length === 0 && performance.now() - sent < 10_000) await sleep(0);
      echoMs.push(performance.now() - sent);
      const asked = performance.now();
      await ours.client!.counters();
      controlMs.push(performance.now() - asked);
      await sleep(PROBE_MS);
    }
    const seconds = (performance.now() - began) / 1000;
    const at = (times: number[], share: number): number =>
      Number(times.sort((a, b) => a - b)[Math.ceil(times.length * share) - 1]!.toFixed(1));
    return {
      echo_ms_p50: at(echoMs, 0.5),
      echo_ms_p99: at(echoMs, 0.99),
      echo_ms_worst: at(echoMs, 1),
      control_ms_p99: at(controlMs, 0.99),
      control_ms_worst: at(controlMs, 1),
      initiations_per_s: Math.round((heard - before) / seconds),
      cpu_percent: Math.round((100 * (cpuSeconds(ours.pid) - cpu)) / seconds),
    };
  } finally {
    await ours.kill();
    await udp.close();
    ear.close();
  }
}

export async function run(): Promise<BenchResult> {
  const ours: Record<string, number> = {};
  for (const peers of [5000, 100_000])
    for (const [name, value] of Object.entries(await measure(peers))) ours[`${name}_${peers}`] = value;
  return { bench: 'silent', real: true, ours, peers: {}, ratio: {} };
}
