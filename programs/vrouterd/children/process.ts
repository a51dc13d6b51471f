/** Engine processes of this machine by the command line that started them (proc(5)): what we may end, and nothing else. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const engineProgram = fileURLToPath(new URL('../../engine/main.ts', import.meta.url));

/** The engine that was started for this socket; null when there is none, or the system does not tell. */
export function findEngine(socketPath: string): number | null {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return null;
  }
  for (const name of names) if (/^\d+$/.test(name) && isEngineOf(Number(name), socketPath)) return Number(name);
  return null;
}

/** Whether the process is an engine that was started for this socket. */
export function isEngineOf(pid: number, socketPath: string): boolean {
  let words: string[];
  try {
    words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return false;
  }
  const at = words.findIndex((word) => word.endsWith('/engine/main.ts'));
  return at > 0 && words[words.indexOf('--socket', at) + 1] === socketPath;
}
