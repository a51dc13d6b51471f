/** Asks over UDP from where it runs, over IPC: one question, or one every millisecond until told to stop. */
import { createSocket } from 'node:dgram';
import { answerOf, type DnsAnswer, question } from './message.ts';

export type Request =
  | { readonly id: number; readonly is: 'ask'; readonly server: string; readonly name: string; readonly type: number }
  | { readonly id: number; readonly is: 'flood'; readonly server: string; readonly names: readonly string[] }
  | { readonly id: number; readonly is: 'stop' };

/** How long an answer may take, ms. */
const PATIENCE_MS = 1000;

interface Flood {
  readonly stop: () => Promise<object>;
}
let flood: Flood | null = null;

async function ask(server: string, name: string, type: number): Promise<DnsAnswer | null> {
  const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), PATIENCE_MS);
      socket.on('error', () => {
        clearTimeout(timer);
        resolve(null);
      });
      socket.on('message', (bytes) => {
        clearTimeout(timer);
        resolve(answerOf(bytes));
      });
      socket.send(question(1, name, type), 53, server);
    });
  } finally {
    socket.close();
  }
}

function startFlood(server: string, names: readonly string[]): Flood {
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
  }, 1);
  return {
    stop: async () => {
      clearInterval(timer);
      await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
      socket.close();
      return { sent, lost: open.size, slowest, seen };
    },
  };
}

process.on('message', (request: Request) => {
  const reply = (value: unknown): void => void process.send!({ id: request.id, value });
  if (request.is === 'ask') void ask(request.server, request.name, request.type).then(reply);
  else if (request.is === 'flood') {
    flood = startFlood(request.server, request.names);
    reply(null);
  } else void flood!.stop().then(reply);
});
process.on('disconnect', () => process.exit(0));
process.send!({ ready: true });
