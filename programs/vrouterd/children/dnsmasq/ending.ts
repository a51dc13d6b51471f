/** How processes of ours are told something, and ended: by number and start time and command line, never by name. */
import { setTimeout as delay } from 'node:timers/promises';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { isAlive, isOurs, type ProcessId } from './process.ts';

/** How long it may take to end, until it is killed, and then, ms. */
const END_MS = 2000;

export interface Leftover {
  readonly id: ProcessId;
  readonly configuration: string;
}

/** Kills processes that nobody looks after, and those who then are such: what a process has started outlives it. ProblemError `plane.failed`. */
export async function endLeftovers(find: () => readonly Leftover[]): Promise<void> {
  for (;;) {
    const all = find();
    if (all.length === 0) return;
    await Promise.all(all.map(({ id, configuration }) => endOne(id, configuration, ['SIGKILL'])));
  }
}

/** Rejects with ProblemError `plane.failed` when it is still there after all of these. */
export async function endOne(
  id: ProcessId,
  configuration: string,
  signals: readonly ('SIGTERM' | 'SIGKILL')[],
): Promise<void> {
  for (const name of signals) {
    if (!signal(id, configuration, name)) return;
    const deadline = performance.now() + END_MS;
    while (performance.now() < deadline) {
      if (!isAlive(id)) return;
      await delay(1);
    }
  }
  throw new ProblemError(problem('plane.failed', `a resolver (pid ${id.pid}) does not end`));
}

/** False when this very process is not there. */
export function signal(
  id: ProcessId,
  configuration: string,
  name: 'SIGHUP' | 'SIGALRM' | 'SIGTERM' | 'SIGKILL',
): boolean {
  if (!isOurs(id, configuration)) return false;
  try {
    process.kill(id.pid, name);
    return true;
  } catch {
    return false;
  }
}
