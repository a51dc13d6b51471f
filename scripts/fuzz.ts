/**
 * `npm run fuzz [-- FILTER] [--seconds N] [--seed N] [--replay FILE]`: random and mutated bytes at every parser, in turns, for as long
 * as you let it (60 s). A failing input is kept under .cache/fuzz; `--replay` throws it again.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type FuzzOrder, type FuzzOutcome, newShare, toldInput, turnOf } from './fuzz-share.ts';
import { type Fuzzer, loadFuzzers, saveInput } from './fuzzing.ts';

/** How long one parser is fuzzed before the next has its turn, ms. */
const TURN_MS = 2000;
/** An input that takes longer than this is stuck, ms. */
const STUCK_MS = 10_000;

const options = readArgs();
const fuzzers = await loadFuzzers(options.filter);
if (fuzzers.length === 0) fail(`no fuzzer's name contains "${options.filter}"`);
else if (options.replay !== undefined) {
  for (const fuzzer of fuzzers) fuzzer.fuzzOne(new Uint8Array(readFileSync(options.replay)));
  console.log(`${options.replay}: nothing thrown by ${fuzzers.map((fuzzer) => fuzzer.name).join(', ')}`);
} else await fuzzInTurns(fuzzers);

async function fuzzInTurns(all: readonly Fuzzer[]): Promise<void> {
  const endAt = performance.now() + options.seconds * 1000;
  const rounds = new Map(all.map((fuzzer) => [fuzzer.name, 0]));
  for (let seed = options.seed; performance.now() < endAt; seed++) {
    for (const [i, { name, path: file }] of all.entries()) {
      const turnMs = turnOf(endAt - performance.now(), all.length - i, TURN_MS);
      // In the first turns everybody is asked, even when the machine is too slow for all of them in the time that there is.
      if (turnMs <= 0 && seed !== options.seed) break;
      const outcome = await turn({ path: file!, seed, endsAtUnixMs: Date.now() + turnMs, share: newShare() });
      if (outcome.input !== undefined) {
        const path = saveInput(name, outcome.input);
        console.error(`${name}: seed ${seed}, round ${outcome.rounds}, ${outcome.input.length} bytes kept in ${path}`);
        console.error(outcome.error);
        process.exitCode = 1;
        return;
      }
      rounds.set(name, rounds.get(name)! + outcome.rounds);
    }
    if (process.stderr.isTTY)
      process.stderr.write(`\rseed ${seed}, ${Math.ceil((endAt - performance.now()) / 1000)} s left `);
  }
  for (const [name, count] of rounds)
    if (count > 0) console.log(`${name.padEnd(24)} ${count} rounds from seed ${options.seed}, nothing thrown`);
    else {
      console.log(`${name.padEnd(24)} not run: give it more --seconds`);
      process.exitCode = 1;
    }
}

/** One turn in a worker, because a parser that never comes back is a bug to be found too. */
function turn(order: FuzzOrder): Promise<FuzzOutcome> {
  const worker = new Worker(new URL('./fuzz-worker.ts', import.meta.url), { workerData: order });
  return new Promise<FuzzOutcome>((resolve, reject) => {
    let before = -1;
    const watch = setInterval(() => {
      const { count, input } = toldInput(order.share);
      if (count === before) resolve({ rounds: count, input, error: `did not come back within ${STUCK_MS / 1000} s` });
      before = count;
    }, STUCK_MS);
    worker.once('message', resolve).once('error', reject);
    worker.once('exit', () => clearInterval(watch));
  }).finally(() => worker.terminate());
}

function readArgs(): { filter: string; seconds: number; seed: number; replay?: string } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { seconds: { type: 'string' }, seed: { type: 'string' }, replay: { type: 'string' } },
    });
    const seconds = Number(values.seconds ?? 60);
    const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
    if (!(seconds > 0) || !Number.isInteger(seed)) throw new RangeError('--seconds and --seed take numbers');
    const base = { filter: positionals[0] ?? '', seconds, seed };
    return values.replay === undefined ? base : { ...base, replay: values.replay };
  } catch (error) {
    fail((error as Error).message);
    process.exit(2);
  }
}

function fail(text: string): void {
  console.error(`error: ${text}`);
  process.exitCode = 2;
}
