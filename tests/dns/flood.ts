/** Asks a server for names without pause, over UDP, and counts what comes back. */
import { createSocket } from 'node:dgram';
import { answerOf, question } from './message.ts';

/** How long an answer may take, ms. */
export const PATIENCE_MS = 1000;

export interface FloodReport {
  readonly sent: number;
  readonly lost: number;
  /** ms. */
  readonly slowest: number;
  /** Name → what was answered → how often. */
  readonly seen: { readonly [name: string]: { readonly [what: string]: number } };
}

export interface Flood {
  stop(): Promise<FloodReport>;
}

/** One of the names every `everyMs`. */
export function startFlood(server: string, names: readonly string[], everyMs = 1): Flood {
  const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
  const open = new Map<number, { readonly name: string; readonly at: number }>();
  const seen: { [name: string]: { [what: string]: number } } = {};
  let sent = 0;
  let slowest = 0;
  socket.on('error', () => {});
  socket.on('message', (bytes) => {
    const answer = answerOf(bytes);
    const asked = open.get(answer.id);
    if (asked === undefined) return;
    open.delete(answer.id);
    slowest = Math.max(slowest, performance.now() - asked.at);
    seen[asked.name] ??= {};
    const what = answer.rcode === 0 ? answer.data.toSorted().join(',') : `rcode ${answer.rcode}`;
    seen[asked.name]![what] = (seen[asked.name]![what] ?? 0) + 1;
  });
  const timer = setInterval(() => {
    const name = names[sent % names.length]!;
    const id = sent++ & 0xffff;
    open.set(id, { name, at: performance.now() });
    socket.send(question(id, name, 1), 53, server);
  }, everyMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
      socket.close();
      return { sent, lost: open.size, slowest, seen };
    },
  };
}
