/** One fuzzer in a worker: tells the input before it is thrown, so that whoever watches knows it even if nothing comes back. */
import { parentPort, workerData } from 'node:worker_threads';
import { type FuzzOrder, type FuzzOutcome, tellInput } from './fuzz-share.ts';
import { type Fuzzer, fuzz } from './fuzzing.ts';

const { path, seed, endsAtUnixMs, share } = workerData as FuzzOrder;
const fuzzer = (await import(path)) as Fuzzer;
const told = {
  ...fuzzer,
  fuzzOne(bytes: Uint8Array): void {
    tellInput(share, bytes);
    fuzzer.fuzzOne(bytes);
  },
};
const outcome = fuzz(told, seed, (round) => round % 64 !== 0 || round === 0 || Date.now() < endsAtUnixMs);
const message: FuzzOutcome =
  'input' in outcome
    ? {
        rounds: outcome.round,
        input: outcome.input,
        error: outcome.error instanceof Error ? outcome.error.stack! : String(outcome.error),
      }
    : { rounds: outcome.rounds };
parentPort!.postMessage(message);
