/**
 * What a killed demo leaves running: its programs have sessions of their own. They are written down as they start, and the next demo
 * on the same folder ends them first. A process is told from a later one with the same number by when it was started.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

const record = z.object({
  processes: z.array(z.object({ pid: z.number().int().positive(), startedAt: z.string() })),
  namespaces: z.array(z.string().regex(/^[a-z0-9]+$/)),
});
type Record = z.infer<typeof record>;

/** How long a program may take to end when asked, ms. */
const PATIENCE_MS = 3000;

export class Leftovers {
  readonly #path: string;
  readonly #record: Record = { processes: [], namespaces: [] };

  constructor(folder: string) {
    this.#path = join(folder, 'running.json');
  }

  noteProcess(pid: number): void {
    const startedAt = startOf(pid);
    if (startedAt === null || this.#record.processes.some((known) => known.pid === pid)) return;
    this.#record.processes.push({ pid, startedAt });
    this.#write();
  }

  noteNamespace(name: string): void {
    this.#record.namespaces.push(name);
    this.#write();
  }

  /** Everything was ended in order. */
  clear(): void {
    rmSync(this.#path, { force: true });
  }

  /** Ends what an earlier demo on this folder left; the folder's lock says that it is dead itself. Returns how many processes. */
  async end(): Promise<number> {
    const { processes, namespaces } = this.#read();
    const alive = processes.filter(({ pid, startedAt }) => startOf(pid) === startedAt);
    for (const { pid } of alive) signal(pid, 'SIGTERM');
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline && alive.some((one) => startOf(one.pid) === one.startedAt)) await delay(20);
    for (const one of alive) if (startOf(one.pid) === one.startedAt) signal(one.pid, 'SIGKILL');
    for (const name of namespaces) tryToRun('ip', ['netns', 'del', name]);
    this.clear();
    return alive.length;
  }

  #read(): Record {
    if (!existsSync(this.#path)) return { processes: [], namespaces: [] };
    try {
      return record.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch {
      // Cut off in the middle of being written: nothing in it can be trusted with a kill.
      return { processes: [], namespaces: [] };
    }
  }

  #write(): void {
    writeFileSync(this.#path, JSON.stringify(this.#record), { mode: 0o600 });
  }
}

/** When a process was started, in whatever words the system has; null when it is gone or a zombie. */
function startOf(pid: number): string | null {
  if (!existsSync('/proc/self/stat')) return tryToRun('ps', ['-o', 'lstart=', '-p', String(pid)])?.trim() || null;
  try {
    // proc(5): the name in parentheses may hold anything; state is the first field behind it, starttime the 20th.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself meanwhile.
  }
}

function tryToRun(program: string, args: readonly string[]): string | null {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return null;
  }
}
