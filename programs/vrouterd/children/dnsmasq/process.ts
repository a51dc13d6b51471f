/**
 * Processes of dnsmasq that are ours, by proc(5): the command line tells whose they are, the start time that a number has not been given
 * to somebody else since. Nothing is ever ended by its name.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { RunAs } from './user.ts';

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after boot at which it started. */
  readonly started: string;
}

/** What a process is started with: one configuration file, and nothing else that is read. */
export function argumentsOf(configuration: string, runAs: RunAs | null): readonly string[] {
  const as = runAs === null ? [] : [`--user=${runAs.user}`, `--group=${runAs.group}`];
  return ['--keep-in-foreground', `--conf-file=${configuration}`, ...as];
}

/** The processes that were started for a configuration file below the folder, by that file; children that answer a TCP client left out. */
export function findProcesses(folder: string): ReadonlyMap<string, readonly ProcessId[]> {
  const found = new Map<number, { readonly id: ProcessId; readonly parent: number; readonly configuration: string }>();
  for (const name of numbers()) {
    const pid = Number(name);
    const configuration = configurationOf(pid);
    if (configuration === null || !configuration.startsWith(`${folder}/`)) continue;
    const stat = statOf(pid);
    if (stat !== null) found.set(pid, { id: { pid, started: stat.started }, parent: stat.parent, configuration });
  }
  const byFile = new Map<string, ProcessId[]>();
  for (const { id, parent, configuration } of found.values()) {
    if (found.get(parent)?.configuration === configuration) continue;
    byFile.set(configuration, [...(byFile.get(configuration) ?? []), id]);
  }
  return byFile;
}

/** Whether this very process still runs for this configuration file. */
export function isOurs({ pid, started }: ProcessId, configuration: string): boolean {
  return statOf(pid)?.started === started && configurationOf(pid) === configuration;
}

/** The process as it is now; null when there is none, or the system does not tell. */
export function identify(pid: number): ProcessId | null {
  const stat = statOf(pid);
  return stat === null ? null : { pid, started: stat.started };
}

/** Whether it is there and is more than an entry that nobody has waited for. */
export function isAlive({ pid, started }: ProcessId): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.started === started && stat.state !== 'Z' && stat.state !== 'X';
}

/** Whether any process is in the group of this number (kill(2)). */
export function isGroup(id: number): boolean {
  try {
    return process.kill(-id, 0);
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function numbers(): readonly string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Null for anything that is no dnsmasq of ours. */
function configurationOf(pid: number): string | null {
  let words: string[];
  try {
    words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return null;
  }
  if (!/(^|\/)dnsmasq$/.test(words[0] ?? '') || words[1] !== '--keep-in-foreground') return null;
  return /^--conf-file=(.+)$/.exec(words[2] ?? '')?.[1] ?? null;
}

function statOf(pid: number): { readonly state: string; readonly parent: number; readonly started: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program is in brackets and may contain anything; fields are counted from behind it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, parent: Number(fields[1]), started: fields[19]! };
  } catch {
    return null;
  }
}
