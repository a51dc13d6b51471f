/**
 * The TUN of one end of a tunnel: iperf3 between a host and a peer, with the host behind our engine with offloads, without, and behind
 * wireguard-go. The peer is wireguard-go every time.
 */
import { readFileSync } from 'node:fs';
import { ip, Lab, MTU, PORT, reaches } from '../tests/wireguard-go/lab.ts';
import { needs } from '../tests/world/needs.ts';
import { iperf } from './iperf.ts';
import type { BenchResult } from './result.ts';
import { type BenchPrograms, benchPrograms } from './wireguard/programs.ts';

const TURNS = 3;
const SECONDS = 4;
const ends = ['ours', 'without offloads', 'wireguard-go'] as const;
type End = (typeof ends)[number];
type Numbers = Record<string, number>;
/** Set, engines write CPU profiles there. */
const PROFILE = process.env.VROUTER_CPU_PROF;

/** What a measured end is to the rest: its process, its key, and the host's address behind it. */
interface Near {
  readonly pid: number;
  readonly publicKey: Uint8Array;
  readonly address: string;
  admit(peer: Uint8Array): Promise<void>;
}

async function ourEnd(lab: Lab, offloads: boolean): Promise<Near> {
  const env = offloads ? {} : { VROUTER_TUN_OFFLOADS: 'off' };
  const ours = await lab.engine(lab.hub, { profileInto: PROFILE ?? null, env });
  await ours.gateway();
  await ours.do(
    {
      ...{ do: 'link.set', name: 'host0', type: 'tun', vrf: 'default', mtu: MTU, adminUp: true },
      ...{ hostAddresses: ['10.98.0.1/24'], hostRoutes: ['10.99.0.0/16'] },
    },
    { do: 'route.set', vrf: 'default', prefix: '10.98.0.1/32', link: 'host0', nextHop: null },
  );
  return {
    pid: ours.pid,
    publicKey: ours.publicKey,
    address: '10.98.0.1',
    admit: (peer) =>
      ours.do({
        ...{ do: 'peer.set', link: 'wg0', publicKey: peer.toBase64(), presharedKey: null, persistentKeepalive: 0 },
        allowedIps: ['10.99.0.2/32'],
      }),
  };
}

async function goEnd(lab: Lab, program: string): Promise<Near> {
  const go = await lab.wireguardGo(lab.hub, { program, verbose: false });
  go.address(1);
  await go.set(`listen_port=${PORT}`);
  return {
    pid: go.pid,
    publicKey: go.publicKey,
    address: '10.99.0.1',
    admit: async (peer) => void (await go.set(`public_key=${peer.toHex()}`, 'allowed_ip=10.99.0.2/32')),
  };
}

async function turn(end: End, programs: BenchPrograms, best: Numbers): Promise<void> {
  const lab = new Lab();
  try {
    const near = end === 'wireguard-go' ? await goEnd(lab, programs.wireguardGo!) : await ourEnd(lab, end === 'ours');
    const { namespace, number } = lab.spoke();
    const far = await lab.wireguardGo(namespace, { program: programs.wireguardGo!, verbose: false });
    far.address(2);
    ip('-n', namespace, 'route', 'add', '10.98.0.0/24', 'dev', far.name);
    await near.admit(far.publicKey);
    const endpoint = `endpoint=192.168.${number}.1:${PORT}`;
    await far.set(`public_key=${near.publicKey.toHex()}`, endpoint, 'allowed_ip=10.98.0.0/15');
    await reaches(namespace, near.address);
    const to = { namespace, address: '10.99.0.2' };
    for (const [direction, more] of [
      ['to_peer', []],
      ['from_peer', ['-R']],
    ] as const) {
      const flow = await iperf(lab.hub, to, programs, near.pid, ['-t', String(SECONDS), ...more]);
      const gbps = flow.bits / 1e9;
      if (gbps <= (best[`gbps_${direction}`] ?? 0)) continue;
      // The cost of the best run, not the best cost of any.
      best[`gbps_${direction}`] = Number(gbps.toFixed(3));
      best[`cpu_s_per_gb_${direction}`] = Number((flow.cpuSeconds / (flow.bytes / 1e9)).toFixed(2));
    }
  } finally {
    await lab.close();
  }
}

export async function run(): Promise<BenchResult> {
  const nothing = { bench: 'tun', real: false, ours: {}, peers: {}, ratio: {} };
  const missing = needs('root', 'netns', 'tun', 'ip', 'ping');
  if (missing !== false) return { ...nothing, note: missing };
  const programs = benchPrograms();
  if (programs.wireguardGo === null || programs.iperf3 === null)
    return { ...nothing, note: 'there is no iperf3 or no wireguard-go here, and none to be had' };
  const best: { readonly [E in End]: Numbers } = { ours: {}, 'without offloads': {}, 'wireguard-go': {} };
  for (let i = 0; i < TURNS; i++) for (const end of ends) await turn(end, programs, best[end]);
  const over = (end: End): number =>
    Number(
      (
        (best.ours.gbps_to_peer! / best[end].gbps_to_peer! + best.ours.gbps_from_peer! / best[end].gbps_from_peer!) /
        2
      ).toFixed(2),
    );
  return {
    bench: 'tun',
    real: true,
    ours: best.ours,
    peers: { 'without offloads': best['without offloads'], 'wireguard-go': best['wireguard-go'] },
    // Throughput, the mean of both directions.
    ratio: { 'without offloads': over('without offloads'), 'wireguard-go': over('wireguard-go') },
    note: `TCP, one flow, MTU ${MTU}; ${programs.wireguardGoIs}, as the peer and as the other end; best of ${TURNS} turns; load average ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`,
  };
}
