/**
 * dnsmasq answers each TCP client by a child of its own, which knows what was true when the client came and may live for minutes. Those who
 * came before a change are hung up on soon after it, so that nobody is told for long what is no more.
 */
import { readFileSync } from 'node:fs';
import { signal } from './ending.ts';
import { identify, type ProcessId } from './process.ts';

/** Time for whoever is being answered just now, ms. */
const GRACE_MS = 1000;

/** Children of the process; none where the kernel does not tell (CONFIG_PROC_CHILDREN). */
export function clientsOf(pid: number): readonly ProcessId[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').flatMap((word) => (word === '' ? [] : (identify(Number(word)) ?? [])));
  } catch {
    return [];
  }
}

/** As dnsmasq itself ends them when it ends. */
export function endClientsLater(clients: readonly ProcessId[], configuration: string): void {
  if (clients.length === 0) return;
  setTimeout(() => {
    for (const client of clients) signal(client, configuration, 'SIGALRM');
  }, GRACE_MS).unref();
}
