/** iperf3 between two namespaces. Not a bench. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { inside } from '../tests/wireguard-go/lab.ts';
import { cpuSeconds } from './cpu.ts';
import type { BenchPrograms } from './wireguard/programs.ts';

export interface Flow {
  readonly bits: number;
  readonly bytes: number;
  readonly packets: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

interface IperfReport {
  readonly error?: string;
  readonly end: {
    readonly sum_received?: { readonly bytes: number; readonly bits_per_second: number };
    readonly sum?: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
  };
}

/** iperf3 from one namespace to an address in another, and what a process between them spent meanwhile. */
export async function iperf(
  from: string,
  to: { readonly namespace: string; readonly address: string },
  { iperf3, env }: BenchPrograms,
  hubPid: number,
  args: readonly string[],
): Promise<Flow> {
  const server = inside(to.namespace, iperf3!, ['-s', '-1'], { stdio: ['ignore', 'ignore', 'inherit'], env });
  const served = once(server, 'exit');
  await sleep(400);
  try {
    const before = cpuSeconds(hubPid);
    const command = ['-c', to.address, '-J', ...args];
    const client = inside(from, iperf3!, command, { stdio: ['ignore', 'pipe', 'inherit'], env });
    let text = '';
    client.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await once(client, 'close');
    const spent = cpuSeconds(hubPid) - before;
    const { end, error } = JSON.parse(text) as IperfReport;
    if (error !== undefined) throw new Error(`iperf3: ${error}`);
    const { bytes = 0, bits_per_second: bits = 0 } = end.sum_received ?? {};
    const { packets = 0, lost_packets: lost = 0, seconds = 1 } = end.sum ?? {};
    return { bytes, bits, packets: packets - lost, seconds, cpuSeconds: spent };
  } finally {
    server.kill('SIGKILL');
    await served;
  }
}
