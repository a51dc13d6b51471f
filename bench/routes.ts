/** 100,000 and 1,000,000 routes added, listed and withdrawn through the whole first river, in turns with `ip -batch`. Needs root. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchResult } from './result.ts';

const SIZES = [100_000, 1_000_000] as const;
const TURNS = 2;
const LIMIT_MS = 600_000;

interface Seconds {
  readonly addSeconds: number;
  readonly listSeconds: number;
  readonly removeSeconds: number;
}

export async function run(): Promise<BenchResult> {
  const ours: Record<string, number> = {};
  const theirs: Record<string, number> = {};
  for (const size of SIZES) {
    const best = { ours: none, theirs: none };
    for (let turn = 0; turn < TURNS; turn++) {
      best.ours = better(best.ours, ourTurn(size));
      best.theirs = better(best.theirs, theirTurn(size));
    }
    for (const [into, { addSeconds, listSeconds, removeSeconds }] of [
      [ours, best.ours],
      [theirs, best.theirs],
    ] as const) {
      into[`add_per_s_${size}`] = Math.round(size / addSeconds);
      into[`list_per_s_${size}`] = Math.round(size / listSeconds);
      into[`remove_per_s_${size}`] = Math.round(size / removeSeconds);
    }
  }
  const most = SIZES.at(-1);
  for (const what of ['add_per_s', 'remove_per_s'])
    for (const side of [ours, theirs]) side[what] = side[`${what}_${most}`]!;
  const ratio = Math.min(ours.add_per_s! / theirs.add_per_s!, ours.remove_per_s! / theirs.remove_per_s!);
  return { bench: 'routes', real: true, ours, peers: { 'ip -batch': theirs }, ratio: { 'ip -batch': ratio } };
}

const none: Seconds = { addSeconds: Infinity, listSeconds: Infinity, removeSeconds: Infinity };

function better(a: Seconds, b: Seconds): Seconds {
  return {
    addSeconds: Math.min(a.addSeconds, b.addSeconds),
    listSeconds: Math.min(a.listSeconds, b.listSeconds),
    removeSeconds: Math.min(a.removeSeconds, b.removeSeconds),
  };
}

function ourTurn(size: number): Seconds {
  const program = new URL('linux/routes.ts', import.meta.url).pathname;
  return JSON.parse(inNamespace(process.execPath, program, String(size))) as Seconds;
}

/** The same routes from files of commands, as iproute2 takes them fastest. */
function theirTurn(size: number): Seconds {
  const folder = mkdtempSync(join(tmpdir(), 'routes-'));
  try {
    const lines = Array.from(
      { length: size },
      (_, i) => `${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24 via 10.255.255.2 dev bench0 onlink\n`,
    );
    writeFileSync(join(folder, 'add'), lines.map((line) => `route add ${line}`).join(''));
    writeFileSync(join(folder, 'del'), lines.map((line) => `route del ${line}`).join(''));
    const script = `set -e
cd ${folder}
ip link add bench0 type bridge; ip addr add 10.255.255.1/24 dev bench0; ip link set bench0 up
now() { date +%s.%N; }
a=$(now); ip -batch add; b=$(now); ip route show > shown; c=$(now); ip -batch del; d=$(now)
echo "$a $b $c $d"`;
    const [a, b, c, d] = inNamespace('bash', '-c', script).trim().split(' ').map(Number) as [
      number,
      number,
      number,
      number,
    ];
    return { addSeconds: b - a, listSeconds: c - b, removeSeconds: d - c };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function inNamespace(...command: readonly string[]): string {
  return execFileSync('unshare', ['-n', ...command], {
    encoding: 'utf8',
    timeout: LIMIT_MS,
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 20,
  });
}
