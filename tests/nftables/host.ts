/**
 * A host of the world: answers on some ports with its name and whom it sees, and asks others when it is told to. A program that reads one
 * question a line, `{"id":1,"ask":"tcp","address":"192.0.2.1","port":80,"from":"10.0.0.2"}`, and answers one, `{"id":1,"said":"out 10.0.0.2"}`.
 */
import { createSocket } from 'node:dgram';
import { connect, createServer, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';

export interface Question {
  readonly id: number;
  readonly ask: 'tcp' | 'udp' | 'heard';
  readonly address: string;
  readonly port: number;
  readonly from?: string;
  /** How long the connection stays after the answer. */
  readonly holdMs?: number;
  /** Until silence is the answer. */
  readonly patienceMs?: number;
  /** The port that it is asked from. */
  readonly fromPort?: number;
}

const PATIENCE_MS = 600;
const plain = (address: string): string => address.replace('::ffff:', '');

export function serve(name: string, tcp: readonly number[], udp: readonly number[], heard: string[]): void {
  for (const port of tcp)
    createServer((socket) => {
      socket.on('error', () => {});
      socket.write(`${name} ${plain(socket.remoteAddress ?? '')}\n`);
    }).listen(port, '::');
  for (const port of udp) {
    const socket = createSocket('udp6');
    socket.on('message', (message, from) => {
      heard.push(`${message} ${plain(from.address)}`);
      socket.send(`${name} ${plain(from.address)}\n`, from.port, from.address);
    });
    socket.bind(port, '::');
  }
}

export function ask(question: Question): Promise<string> {
  return question.ask === 'tcp' ? askTcp(question) : askUdp(question);
}

function askTcp({ address, port, from, holdMs = 0, fromPort, patienceMs = PATIENCE_MS }: Question): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, localAddress: from, localPort: fromPort });
    const patience = setTimeout(() => say('nothing'), patienceMs);
    const say = (what: string): void => {
      clearTimeout(patience);
      setTimeout(() => socket.destroy(), what === 'nothing' ? 0 : holdMs);
      resolve(what);
    };
    socket.on('data', (bytes) => say(String(bytes).trim()));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      say(error.code === 'ECONNREFUSED' ? 'refused' : String(error.code)),
    );
  });
}

function askUdp({ address, port, from, fromPort, patienceMs = PATIENCE_MS }: Question): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const say = (what: string): void => {
      clearTimeout(patience);
      socket.close();
      resolve(what);
    };
    const patience = setTimeout(() => say('nothing'), patienceMs);
    socket.on('message', (bytes) => say(String(bytes).trim()));
    socket.on('error', (error: NodeJS.ErrnoException) => say(String(error.code)));
    socket.bind({ port: fromPort ?? 0, ...(from === undefined ? {} : { address: from }) }, () =>
      socket.send('hello', port, address),
    );
  });
}

if (import.meta.main) {
  const heard: string[] = [];
  if (process.argv[3] !== 'quiet') serve(process.argv[2]!, [80, 8080, 9999], [53, 80, 9999], heard);
  createInterface({ input: process.stdin }).on('line', (line) => {
    const question = JSON.parse(line) as Question;
    const said = question.ask === 'heard' ? Promise.resolve(heard.splice(0).join()) : ask(question);
    void said.then((what) => console.log(JSON.stringify({ id: question.id, said: what })));
  });
  process.stdin.on('end', () => process.exit());
  setTimeout(() => console.log('ready'), 100);
}
