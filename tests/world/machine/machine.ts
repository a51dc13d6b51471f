/**
 * A guest (`guest.ts`) that goes on while a test runs: programs are started in it, its sockets and ports are reached from here, and ours from
 * there. What need not run inside runs outside, where nothing is emulated.
 */
import { createSocket } from 'node:dgram';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join as pathTo } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Guest, startGuest } from '../guest.ts';
import { Channels, join, onLines, type Signal, type Told, type Wanted } from './channels.ts';
import { packetsIn, packetsOut } from './datagrams.ts';

const AGENT = fileURLToPath(new URL('agent.ts', import.meta.url));
const PORT = 'agent';
const BOOT_MS = 180_000;
const REST_MS = 500;

export interface Ran {
  readonly status: number | string;
  readonly out: string;
  readonly err: string;
}

export class Machine implements AsyncDisposable {
  readonly #guest: Guest;
  readonly #channels: Channels;
  readonly #socket: Socket;
  readonly #servers: { close(): unknown }[] = [];
  readonly ready = Promise.withResolvers<void>();

  private constructor(guest: Guest, socket: Socket) {
    this.#guest = guest;
    this.#socket = socket;
    this.#channels = new Channels(
      0,
      (bytes) => void socket.write(bytes),
      (what, channel) => this.#wanted(what, channel),
    );
    socket.on('data', (bytes) => this.#channels.feed(bytes as Uint8Array));
    socket.on('error', () => {});
  }

  /** Boots and loads the modules; what runs there is of its /run, all else of this machine's files to be read. */
  static async start(modules: readonly string[]): Promise<Machine> {
    const guest = await startGuest({
      modules: ['virtio_console', ...modules],
      command: [process.execPath, AGENT],
      devices: (folder) => [
        ...['-chardev', `socket,id=${PORT},path=${pathTo(folder, PORT)},server=on,wait=off`],
        ...['-device', 'virtio-serial-pci', '-device', `virtserialport,chardev=${PORT},name=${PORT}`],
      ],
    });
    try {
      const machine = new Machine(guest, await dial(pathTo(guest.folder, PORT)));
      const late = sleep(BOOT_MS, undefined, { ref: false }).then(() => Promise.reject(new Error('does not boot')));
      const ended = guest.ended.then(({ output }) => Promise.reject(new Error(`ended: ${output}`)));
      await Promise.race([machine.ready.promise, late, ended]);
      return machine;
    } catch (thrown) {
      await guest.end();
      throw thrown;
    }
  }

  /** Starts a program; `run` for one that ends. */
  spawn(command: string, args: readonly string[], env: { readonly [name: string]: string } = {}): Program {
    return new Program(this.#channels.open({ kind: 'run', command, args, env }));
  }

  /** Runs a program to its end; what it says. */
  run(command: string, ...args: readonly string[]): Promise<Ran> {
    return this.spawn(command, args).ended;
  }

  /** Runs one that must work; what it says. */
  async do(command: string, ...args: readonly string[]): Promise<string> {
    const { status, out, err } = await this.run(command, ...args);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status} ${err}${out}`);
    return out;
  }

  /** Lines of a shell script, all of which must work. */
  async script(...lines: readonly string[]): Promise<string> {
    return this.do('sh', '-ec', lines.join('\n'));
  }

  async write(path: string, text: string): Promise<void> {
    await this.do('sh', '-c', 'printf %s "$1" > "$2"', 'sh', text, path);
  }

  /** A socket here that leads to one there. Who asks before anybody listens there is held back: asking costs an emulated machine much. */
  async reach(here: string, there: string): Promise<void> {
    rmSync(here, { force: true });
    let restUntil = 0;
    const server = createServer({ pauseOnConnect: true }, async (socket) => {
      socket.on('error', () => {});
      await sleep(Math.max(0, restUntil - performance.now()));
      const channel = this.#channels.open({ kind: 'unix', path: there });
      let answered = false;
      channel.once('data', () => (answered = true));
      channel.once('close', () => {
        if (!answered) restUntil = performance.now() + REST_MS;
      });
      join(socket, channel);
      socket.resume();
    });
    this.#servers.push(server);
    await listening(server, here);
  }

  /** A socket here for `relay.ts`, which runs programs there. */
  async door(here: string): Promise<void> {
    const server = createServer((socket) => {
      // The first line says what is wanted; all else is as the program and it will have it.
      socket.once('data', (line: Buffer) => join(socket, this.#channels.open(JSON.parse(line.toString()) as Wanted)));
    });
    this.#servers.push(server);
    await listening(server, here);
  }

  /** The port of our loopback is one of its loopback too. */
  async lend(port: number): Promise<void> {
    const channel = this.#channels.open({ kind: 'listen', port }).resume();
    await new Promise((resolve) => channel.once('end', resolve));
  }

  /** Datagrams to this port of our loopback go to the same one of its loopback, and answers come back. */
  async reachUdp(port: number): Promise<void> {
    const socket = createSocket('udp4');
    const channels = new Map<number, Duplex>();
    socket.on('message', (packet, from) => {
      let channel = channels.get(from.port);
      if (channel === undefined) {
        channel = this.#channels.open({ kind: 'udp', port });
        packetsIn(channel, (answer) => socket.send(answer, from.port, from.address));
        channels.set(from.port, channel);
      }
      packetsOut(channel, packet);
    });
    this.#servers.push(socket);
    await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close();
    this.#socket.destroy();
    await this.#guest.end();
  }

  #wanted(what: Wanted, channel: Duplex): void {
    channel.on('error', () => {});
    if (what.kind !== 'tcp') channel.destroy();
    else if (what.port === 0) this.ready.resolve();
    else join(channel, connect(what.port, '127.0.0.1'));
  }
}

/** One that runs in the machine. */
export class Program {
  readonly ended: Promise<Ran>;
  out = '';
  err = '';
  readonly #channel: Duplex;

  constructor(channel: Duplex) {
    this.#channel = channel;
    this.ended = new Promise((resolve) => {
      let status: number | string = 'cut off';
      onLines(channel, (line) => {
        const told = JSON.parse(line) as Told;
        if ('out' in told) this.out += told.out;
        else if ('err' in told) this.err += told.err;
        else status = told.ended;
      });
      channel.on('end', () => resolve({ status, out: this.out, err: this.err }));
      channel.on('close', () => resolve({ status, out: this.out, err: this.err }));
    });
  }

  /** Sends it a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#channel.write(`${JSON.stringify({ signal } satisfies Signal)}\n`);
  }

  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ran> {
    this.kill(signal);
    return this.ended;
  }
}

async function dial(path: string): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect(path);
    const failed = await new Promise<Error | null>((resolve) => {
      socket.once('connect', () => resolve(null)).once('error', resolve);
    });
    if (failed === null) return socket;
    if (tries === 200) throw failed;
    await sleep(50);
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
}
