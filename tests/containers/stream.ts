/**
 * A download that goes on: `stream.ts serve PORT` says something to whoever comes every few milliseconds, for as long as they like;
 * `stream.ts get ADDRESS PORT` listens, and tells for each line of its input how much it has heard, the longest silence, and whether it ended.
 */
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

export interface Heard {
  readonly bytes: number;
  /** Longest silence, ms. */
  readonly silence: number;
  /** Why there is no more; null: it goes on. */
  readonly ended: string | null;
}

const EVERY_MS = Number(process.env.STREAM_MS ?? 5);
const PIECE = Buffer.alloc(1000, 'x');

const [what, ...args] = process.argv.slice(2);
if (what === 'serve') {
  createServer((socket) => {
    const timer = setInterval(() => socket.write(PIECE), EVERY_MS);
    socket.on('error', () => {});
    socket.on('close', () => clearInterval(timer));
  }).listen(Number(args[0]), '::', () => console.log('ready'));
} else {
  let [bytes, silence, last, ended] = [0, 0, performance.now(), null as string | null];
  const socket = connect({ host: args[0]!, port: Number(args[1]) });
  socket.on('data', (piece) => {
    if (bytes === 0) console.log('ready');
    else silence = Math.max(silence, performance.now() - last);
    last = performance.now();
    bytes += piece.length;
  });
  socket.on('error', ({ message }) => (ended = message));
  socket.on('close', () => (ended ??= 'closed'));
  createInterface({ input: process.stdin }).on('line', () => {
    const still = bytes === 0 ? 0 : performance.now() - last;
    console.log(JSON.stringify({ bytes, silence: Math.round(Math.max(silence, still)), ended }));
    silence = 0;
  });
}
process.stdin.on('end', () => process.exit());
process.stdin.resume();
