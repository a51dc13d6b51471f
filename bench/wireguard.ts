/** A WireGuard hub: iperf3 between two clients through it, and 32 replayed sessions on one core; ours against wireguard-go and the kernel. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Action } from '@vrouter/engine/control/messages.ts';
import { generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { inside, Lab, MTU, Ours, PORT, reaches, type WireguardGo } from '../tests/wireguard-go/lab.ts';
import { needs, programPath } from '../tests/world/needs.ts';
import { cpuSeconds } from './cpu.ts';
import { iperf } from './iperf.ts';
import type { BenchResult } from './result.ts';
import { type GeneratorPlan, type GeneratorReport, innerAddress } from './wireguard/generator.ts';
import { type BenchPrograms, benchPrograms } from './wireguard/programs.ts';

const TURNS = 3;
/** No further turn is begun after so long: on a busy machine one takes a minute. */
const BUDGET_MS = 100_000;
const TCP_SECONDS = 4;
const UDP_SECONDS = 3;
const SESSIONS = 32;
/** Packets that the generator seals for a run: what fits in some 400 MB, and takes a second or two to forward. */
const REPLAYS = [
  { size: 64, packets: 1_500_000 },
  { size: 1420, packets: 280_000 },
] as const;
/** A share of them goes ahead uncounted, in sessions of its own: a hub runs for months, not with code that is still being compiled. */
const WARM_UP = 0.25;
const HUB_CORE = '0';
const GENERATOR_CORE = '1';
const generatorMain = fileURLToPath(new URL('wireguard/generator.ts', import.meta.url));
/** Set, the hub's engine writes CPU profiles there. */
const PROFILE = process.env.VROUTER_CPU_PROF;

type Numbers = Record<string, number>;

interface HubPeer {
  readonly publicKey: Uint8Array;
  readonly address: string;
}

/** Either hub, the same to whoever measures. */
interface Hub {
  readonly pid: number;
  readonly publicKey: Uint8Array;
  peers(peers: readonly HubPeer[]): Promise<void>;
}

/** Keeps the best of what turns come to: the lowest of costs, the highest of everything else, with the figures of one iperf3 run together. */
class Best {
  readonly numbers: Numbers = {};

  take(name: string, value: number, lower = false): void {
    const known = this.numbers[name];
    if (known === undefined || (lower ? value < known : value > known)) this.numbers[name] = Number(value.toFixed(3));
  }
}

async function ourHub(ours: Ours, port = PORT): Promise<Hub> {
  await ours.gateway(port);
  return {
    pid: ours.pid,
    publicKey: ours.publicKey,
    peers: (peers) =>
      ours.do(
        ...peers.map(
          ({ publicKey, address }): Action => ({
            do: 'peer.set',
            link: 'wg0',
            publicKey: publicKey.toBase64(),
            presharedKey: null,
            allowedIps: [`${address}/32`],
            persistentKeepalive: 0,
          }),
        ),
      ),
  };
}

async function goHub(go: WireguardGo): Promise<Hub> {
  go.address(1);
  await go.set(`listen_port=${PORT}`);
  const forward = ['netns', 'exec', go.namespace, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'];
  execFileSync(programPath('ip')!, forward);
  return {
    pid: go.pid,
    publicKey: go.publicKey,
    peers: async (peers) => {
      for (const { publicKey, address } of peers)
        await go.set(`public_key=${publicKey.toHex()}`, `allowed_ip=${address}/32`);
    },
  };
}

/** Two wireguard-go clients through the hub. */
async function clients(lab: Lab, hub: Hub, programs: BenchPrograms, best: Best): Promise<void> {
  const ends: { readonly namespace: string; readonly address: string }[] = [];
  for (const low of [2, 3]) {
    const { namespace, number } = lab.spoke();
    const go = await lab.wireguardGo(namespace, { program: programs.wireguardGo!, verbose: false });
    go.address(low);
    await hub.peers([{ publicKey: go.publicKey, address: `10.99.0.${low}` }]);
    const endpoint = `endpoint=192.168.${number}.1:${PORT}`;
    await go.set(`public_key=${hub.publicKey.toHex()}`, endpoint, 'allowed_ip=10.99.0.0/16');
    await reaches(namespace, '10.99.0.1');
    ends.push({ namespace, address: `10.99.0.${low}` });
  }
  const [from, to] = ends as [(typeof ends)[0], (typeof ends)[0]];
  const tcp = await iperf(from.namespace, to, programs, hub.pid, ['-t', String(TCP_SECONDS)]);
  best.take('gbps', tcp.bits / 1e9);
  best.take('cpu_s_per_gb', tcp.cpuSeconds / (tcp.bytes / 1e9), true);
  // Inner datagrams of 64 bytes, as many as the client can make.
  const udp = await iperf(from.namespace, to, programs, hub.pid, [
    '-u',
    '-b',
    '0',
    '-l',
    '36',
    '-t',
    String(UDP_SECONDS),
  ]);
  best.take('udp_mpps_64', udp.packets / udp.seconds / 1e6);
}

/** The generator against the hub, each on a core of its own. */
async function replay(namespace: string | null, at: string, hub: Hub, best: Best): Promise<void> {
  const privateKeys = Array.from({ length: SESSIONS }, () => generatePrivateKey());
  await hub.peers(
    privateKeys.map((key, i) => ({ publicKey: systemCrypto().publicKey(key), address: innerAddress(i) })),
  );
  pin(hub.pid);
  for (const { size, packets } of REPLAYS) {
    const plan: GeneratorPlan = {
      hub: at,
      publicKey: hub.publicKey.toBase64(),
      privateKeys: privateKeys.map((key) => key.toBase64()),
      size,
      packets,
    };
    await generated(namespace, { ...plan, packets: Math.round(WARM_UP * packets) });
    const before = cpuSeconds(hub.pid);
    const { received, lost, seconds } = await generated(namespace, plan);
    best.take(`hub_cpu_us_${size}`, ((cpuSeconds(hub.pid) - before) * 1e6) / (received + lost), true);
    const mpps = received / seconds / 1e6;
    if (size === 64) best.take('hub_mpps_64', mpps);
    else best.take('hub_gbps', (mpps * size * 8) / 1000);
    best.take(`lost_percent_${size}`, (100 * lost) / (lost + received), true);
  }
}

async function generated(namespace: string | null, plan: GeneratorPlan): Promise<GeneratorReport> {
  const run = [process.execPath, generatorMain, JSON.stringify(plan)];
  const pinned = twoCores() ? [programPath('taskset')!, '-c', GENERATOR_CORE, ...run] : run;
  const child = inside(namespace, pinned[0]!, pinned.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the generator ended with ${code}`);
  return JSON.parse(text.trim().split('\n').at(-1)!) as GeneratorReport;
}

const twoCores = (): boolean => availableParallelism() > 1 && programPath('taskset') !== null;

/** All threads of the hub on one core. */
function pin(pid: number): void {
  if (twoCores()) execFileSync(programPath('taskset')!, ['-a', '-c', '-p', HUB_CORE, String(pid)], { stdio: 'ignore' });
}

/** One turn of one hub, in a lab of its own. */
async function turn(which: 'ours' | 'wireguard-go', programs: BenchPrograms, best: Best): Promise<void> {
  const lab = new Lab();
  try {
    const hub =
      which === 'ours'
        ? await ourHub(await lab.engine(lab.hub, { profileInto: PROFILE ?? null }))
        : await goHub(await lab.wireguardGo(lab.hub, { program: programs.wireguardGo!, verbose: false }));
    if (programs.iperf3 !== null) await clients(lab, hub, programs, best);
    const { namespace, number } = lab.spoke();
    await replay(namespace, `192.168.${number}.1:${PORT}`, hub, best);
  } finally {
    await lab.close();
  }
}

/** Without root: the generator alone, over loopback, against our hub alone. */
async function looped(best: Best): Promise<void> {
  const ours = Ours.alone();
  try {
    await ours.start();
    const hub = await ourHub(ours, 0);
    const [device] = await ours.client!.dump([{ is: 'wireguard', link: 'wg0' }]);
    if (device?.is !== 'wireguard') throw new Error('the engine has no device');
    await replay(null, `127.0.0.1:${device.localPort}`, hub, best);
  } finally {
    await ours.kill();
  }
}

export async function run(): Promise<BenchResult> {
  const ours = new Best();
  const theirs = new Best();
  const missing = needs('root', 'netns', 'tun', 'ip', 'ping');
  if (missing !== false) {
    for (let i = 0; i < TURNS; i++) await looped(ours);
    const note = `${missing}: only the generator over loopback, against our hub alone`;
    return { bench: 'wireguard', real: false, ours: ours.numbers, peers: {}, ratio: {}, note };
  }
  const programs = benchPrograms();
  if (programs.wireguardGo === null) throw new Error('there is no wireguard-go here, and none to be had');
  const began = performance.now();
  let turns = 0;
  for (; turns < TURNS && performance.now() - began < BUDGET_MS; turns++) {
    await turn('ours', programs, ours);
    await turn('wireguard-go', programs, theirs);
  }
  const cost = theirs.numbers.cpu_s_per_gb! / ours.numbers.cpu_s_per_gb!;
  const iperf3 = programs.iperf3 === null ? '; no iperf3 to be had' : '';
  return {
    bench: 'wireguard',
    real: programs.iperf3 !== null,
    ours: ours.numbers,
    peers: { 'wireguard-go': theirs.numbers },
    ratio: programs.iperf3 === null ? {} : { 'wireguard-go': Number(cost.toFixed(2)) },
    note: `${programs.wireguardGoIs}, as both clients and as the other hub (where the kernel forwards, partly outside of its process and so of its CPU figure)${iperf3}; MTU ${MTU}; best of ${turns}; load average ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`,
  };
}
