/**
 * `npm run fuzz [-- FILTER] [--seconds N] [--seed N] [--replay FILE]`: random and mutated bytes at every parser, in turns, for as long
 * as you let it (60 s). A failing input is kept under .cache/fuzz; `--replay` throws it again.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Fuzzer, fuzz, loadFuzzers, saveInput } from './fuzzing.ts';

/** How long one parser is fuzzed before the next has its turn, ms. */
const TURN_MS = 1000;

const options = readArgs();
const fuzzers = await loadFuzzers(options.filter);
if (fuzzers.length === 0) fail(`no fuzzer's name contains "${options.filter}"`);
else if (options.replay !== undefined) {
  for (const fuzzer of fuzzers) fuzzer.fuzzOne(new Uint8Array(readFileSync(options.replay)));
  console.log(`${options.replay}: nothing thrown by ${fuzzers.map((fuzzer) => fuzzer.name).join(', ')}`);
} else fuzzInTurns(fuzzers);

function fuzzInTurns(all: readonly Fuzzer[]): void {
  const endAt = performance.now() + options.seconds * 1000;
  const rounds = new Map(all.map((fuzzer) => [fuzzer.name, 0]));
  for (let seed = options.seed; performance.now() < endAt; seed++) {
    for (const fuzzer of all) {
      const turnEndsAt = Math.min(endAt, performance.now() + TURN_MS);
      const outcome = fuzz(fuzzer, seed, (round) => round % 64 !== 0 || performance.now() < turnEndsAt);
      if ('input' in outcome) {
        const path = saveInput(fuzzer.name, outcome.input);
        console.error(
          `${fuzzer.name}: seed ${seed}, round ${outcome.round}, ${outcome.input.length} bytes kept in ${path}`,
        );
        console.error(outcome.error);
        process.exitCode = 1;
        return;
      }
      rounds.set(fuzzer.name, rounds.get(fuzzer.name)! + outcome.rounds);
    }
    if (process.stderr.isTTY)
      process.stderr.write(`\rseed ${seed}, ${Math.ceil((endAt - performance.now()) / 1000)} s left `);
  }
  for (const [name, count] of rounds)
    console.log(`${name.padEnd(24)} ${count} rounds from seed ${options.seed}, nothing thrown`);
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
