/** How many workers an engine gets. */
import { availableParallelism } from 'node:os';
import { MAX_WORKERS, steeringProgram } from '@vrouter/engine/workers/share.ts';
import { canSteer } from '@vrouter/host/udp/steered.ts';

export { MAX_WORKERS };

/** One core is left for the main thread and the rest of the machine. */
export function defaultWorkers(cores: number = availableParallelism()): number {
  return Math.min(MAX_WORKERS, Math.max(1, cores - 1));
}

/** Parses `--workers`; null when it is not a number from 1 to `MAX_WORKERS`. */
export function parseWorkers(text: string): number | null {
  return /^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_WORKERS ? Number(text) : null;
}

/** Several workers need a kernel that steers datagrams to them; without one there is one. */
export function possibleWorkers(wanted: number): number {
  return wanted > 1 && !canSteer(steeringProgram) ? 1 : wanted;
}
