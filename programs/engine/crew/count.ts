/** How many workers an engine gets. */
import { availableParallelism } from 'node:os';
import { MAX_WORKERS } from '@vrouter/engine/control/messages.ts';
import { steeringProgram } from '@vrouter/engine/workers/share.ts';
import { canSteer } from '@vrouter/host/udp/steered.ts';

export { MAX_WORKERS };

/** More are had by asking: by then the cores are better left to others, and each costs memory and start-up also where little moves. */
const MOST_BY_DEFAULT = 4;

/**
 * One core is left for the main thread and the rest of the machine; so up to two cores there is one worker, on the main thread itself. An
 * engine with two takes twice the CPU to start (0.73 s against 0.35) and 50 MiB more, and each further one 0.17 s and 27 MiB.
 */
export function defaultWorkers(cores: number = availableParallelism()): number {
  return Math.min(MOST_BY_DEFAULT, Math.max(1, cores - 1));
}

/** Parses `--workers`; null when it is not a number from 1 to `MAX_WORKERS`. */
export function parseWorkers(text: string): number | null {
  return /^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_WORKERS ? Number(text) : null;
}

/** Several workers need a kernel that steers datagrams to them; without one there is one. */
export function possibleWorkers(wanted: number): number {
  return wanted > 1 && !canSteer(steeringProgram) ? 1 : wanted;
}
