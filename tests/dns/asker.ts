/** Asks over UDP from where it runs, over IPC: one question, or one every millisecond until told to stop. */
import { createSocket } from 'node:dgram';
import { type Flood, PATIENCE_MS, startFlood } from './flood.ts';
import { answerOf, type DnsAnswer, question } from './message.ts';

export type Request =
  | { readonly id: number; readonly is: 'ask'; readonly server: string; readonly name: string; readonly type: number }
  | { readonly id: number; readonly is: 'flood'; readonly server: string; readonly names: readonly string[] }
  | { readonly id: number; readonly is: 'stop' };

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
