/** From the moment that somebody takes a route of ours away until the kernel has it again, with 100,000 others present. Needs root. */
import { execFileSync } from 'node:child_process';
import type { BenchResult } from './result.ts';

const ROUTES = 100_000;
const ROUNDS = 1000;
const LIMIT_MS = 300_000;

export async function run(): Promise<BenchResult> {
  const program = new URL('linux/drift.ts', import.meta.url).pathname;
  const args = ['-n', process.execPath, program, String(ROUTES), String(ROUNDS)];
  const said = execFileSync('unshare', args, {
    encoding: 'utf8',
    timeout: LIMIT_MS,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { p50Ms, p99Ms, worstMs } = JSON.parse(said) as Record<string, number>;
  return {
    bench: 'drift',
    real: false,
    ours: { p99_ms: p99Ms!, p50_ms: p50Ms!, worst_ms: worstMs!, routes: ROUTES, rounds: ROUNDS },
    peers: {},
    ratio: {},
    note: 'nobody else mends; the kernel is real',
  };
}
