/**
 * A host of the world: answers on some ports with its name and whom it sees, by HTTP too, and asks others when it is told to. A program that reads one
 * question a line, `{"id":1,"ask":"tcp","address":"192.0.2.1","port":80}`, and answers one, `{"id":1,"said":"outside 10.0.0.2"}`. Its first
 * argument is its name.
 */
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Flood, startFlood } from '../dns/flood.ts';
import { ask, type Question, serve } from '../nftables/host.ts';

/** HTTP: whom it sees, or with `/slow` bytes without end. */
export const HTTP_PORT = 8000;
/** What `ask` of nftables' hosts knows, and questions for names without pause. */
export type HostQuestion =
  | Question
  | { readonly id: number; readonly ask: 'flood'; readonly address: string; readonly names: readonly string[] }
  | { readonly id: number; readonly ask: 'stop' };

const EVERY_MS = 10;
/** Of a download; each piece costs an emulated machine something. */
const PAUSE_MS = 100;
const CHUNK = Buffer.alloc(4096, 'x');

let flood: Flood | null = null;

async function answer(question: HostQuestion): Promise<string> {
  switch (question.ask) {
    case 'flood':
      flood = startFlood(question.address, question.names, EVERY_MS);
      return '';
    case 'stop':
      return JSON.stringify(await flood!.stop());
    default:
      return ask(question);
  }
}

if (import.meta.main) {
  const name = process.argv[2]!;
  serve(name, [80, 443, 8080, 9999], [9999], []);
  createServer(async (request, response) => {
    if (request.url !== '/slow') {
      response.end(`${name} ${request.socket.remoteAddress?.replace('::ffff:', '')}\n`);
      return;
    }
    while (!response.destroyed) {
      response.write(CHUNK);
      await sleep(PAUSE_MS);
    }
  }).listen(HTTP_PORT, '::');
  createInterface({ input: process.stdin }).on('line', (line) => {
    const question = JSON.parse(line) as HostQuestion;
    void answer(question).then((said) => console.log(JSON.stringify({ id: question.id, said })));
  });
  process.stdin.on('end', () => process.exit());
  setTimeout(() => console.log('ready'), 100);
}
