/**
 * A network with NAT, ten published ports and names, made and removed while 1, 100 and 1,000 others stand: through the whole first river, and by
 * scripts of `ip`, `nft` (or `iptables`) and dnsmasq, in turns. Needs root.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byIptables, byNft, scriptOf } from './linux/network-scripts.ts';
import type { BenchResult } from './result.ts';

const SIZES = [1, 100, 1000] as const;
const ROUNDS = 15;
/** Thirty calls a network, and each reads what is there. */
const IPTABLES_ROUNDS = 3;
const TURNS = 2;
const LIMIT_MS = 900_000;
/** Files of resolvers are in memory here, as they are below /run. */
const MEMORY = '/dev/shm';

/** Milliseconds, the middle of a turn's rounds. */
interface Times {
  readonly createMs: number;
  readonly removeMs: number;
}

export async function run(): Promise<BenchResult> {
  const ours: Record<string, number> = {};
  const byHand: Record<string, number> = {};
  const byRules: Record<string, number> = {};
  for (const size of SIZES) {
    for (let turn = 0; turn < TURNS; turn++) {
      keep(ours, size, ourTurn(size, true));
      keep(byHand, size, theirTurn(scriptOf(byNft, size, ROUNDS, true)));
      keep(ours, size, ourTurn(size, false), '_without_names');
      keep(byHand, size, theirTurn(scriptOf(byNft, size, ROUNDS, false)), '_without_names');
    }
    keep(byRules, size, theirTurn(scriptOf(byIptables, size, IPTABLES_ROUNDS, true)));
  }
  const most = `create_ms_at_${SIZES.at(-1)}`;
  const ratio = (theirs: Record<string, number>): number => theirs[most]! / ours[most]!;
  return {
    bench: 'networks',
    real: true,
    ours,
    peers: { 'ip and nft': byHand, 'ip and iptables': byRules },
    ratio: { 'ip and nft': ratio(byHand), 'ip and iptables': ratio(byRules) },
  };
}

/** The best turn counts. */
function keep(into: Record<string, number>, size: number, { createMs, removeMs }: Times, suffix = ''): void {
  for (const [what, ms] of [
    ['create', createMs],
    ['remove', removeMs],
  ] as const) {
    const name = `${what}${suffix}_ms_at_${size}`;
    into[name] = Math.min(into[name] ?? Infinity, Math.round(ms * 100) / 100);
  }
}

function ourTurn(standing: number, withNames: boolean): Times {
  const program = new URL('linux/networks.ts', import.meta.url).pathname;
  const words = [program, String(standing), String(ROUNDS), withNames ? '1' : '0'];
  return JSON.parse(alone(MEMORY, process.execPath, ...words)) as Times;
}

function theirTurn(script: string): Times {
  const folder = mkdtempSync(join(MEMORY, 'networks-'));
  try {
    writeFileSync(join(folder, 'script'), script);
    const rounds = alone(folder, 'bash', 'script').trim().split('\n');
    const times = rounds.map((line) => line.split(' ').map((us) => Number(us) / 1000));
    return { createMs: middle(times.map(([ms]) => ms!)), removeMs: middle(times.map(([, ms]) => ms!)) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function middle(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1]!;
}

/** In namespaces of its own, whose end ends everything in them: the standing networks and their resolvers are not taken away one by one. */
function alone(cwd: string, ...command: readonly string[]): string {
  return execFileSync('unshare', ['--net', '--pid', '--mount-proc', '--fork', '--kill-child', ...command], {
    cwd,
    env: { ...process.env, TMPDIR: MEMORY },
    encoding: 'utf8',
    timeout: LIMIT_MS,
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 24,
  });
}
