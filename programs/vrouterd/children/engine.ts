/**
 * Looks after `vrouter-engine`: finds the one that runs and adopts it, or starts one. The engine is a process of its own session, so
 * that it outlives us: whoever restarts this daemon loses no packet.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ProblemError, problem, toProblem } from '@vrouter/core/problem.ts';
import { type ByteStream, EngineClient } from '@vrouter/engine/control/client.ts';
import type { Hello } from '@vrouter/engine/control/messages.ts';
import type { Logger } from 'pino';

const engineProgram = fileURLToPath(new URL('../../engine/main.ts', import.meta.url));

/** How long a freshly started engine may take to answer, ms. */
const START_MS = 10_000;

export interface EngineOptions {
  readonly socketPath: string;
  readonly logPath: string;
  /** False: somebody else runs the engine (a service manager); we only connect. */
  readonly start: boolean;
  /** Threads of an engine that we start; null lets it decide. */
  readonly workers: number | null;
}

export interface AsideConnection {
  readonly client: EngineClient;
  pause(): void;
  resume(): void;
}

export class EngineSupervisor {
  readonly #options: EngineOptions;
  readonly #log: Logger;
  /** Somebody asked for it to be stopped, and it stays so until they ask otherwise. */
  #heldStopped = false;
  #current: { readonly client: EngineClient; readonly hello: Hello } | null = null;

  constructor(options: EngineOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  /** The engine that we are connected to. */
  running(): { readonly pid: number; readonly epoch: string } | null {
    return this.#current === null ? null : { pid: this.#current.hello.pid, epoch: this.#current.hello.epoch };
  }

  /** A connection to a running engine, started if there is none. Rejects with ProblemError `engine.unreachable`. */
  async connect(signal: AbortSignal): Promise<EngineClient> {
    if (this.#heldStopped) throw unreachable('the engine was stopped by hand; vrouterctl engine start starts it');
    const running = await this.#attach('adopted a running engine');
    if (running !== null) return running;
    if (!this.#options.start) throw unreachable(`no engine answers at ${this.#options.socketPath}`);
    const pid = this.#spawn();
    const deadline = performance.now() + START_MS;
    while (performance.now() < deadline && isAlive(pid)) {
      await delay(10, undefined, { signal });
      const started = await this.#attach('started an engine');
      if (started !== null) return started;
    }
    throw unreachable(`the engine (pid ${pid}) does not answer; its log is ${this.#options.logPath}`);
  }

  /**
   * One more connection to the engine that runs, for what would hold up the others. `pause` and `resume` hold back what the engine
   * sends: it then keeps little, and counts what it cannot keep. Rejects with ProblemError `engine.unreachable`.
   */
  async connectAside(): Promise<AsideConnection> {
    const socket = await dial(this.#options.socketPath);
    if (socket === null) throw unreachable(`no engine answers at ${this.#options.socketPath}`);
    const client = new EngineClient(byteStream(socket));
    await client.hello;
    return { client, pause: () => void socket.pause(), resume: () => void socket.resume() };
  }

  /** Asks the engine to end, and starts no other until `allow`. False: there is none. */
  async stop(): Promise<boolean> {
    this.#heldStopped = true;
    if (this.#current === null) return false;
    const { client } = this.#current;
    await client.stop();
    await client.closed;
    return true;
  }

  /** Lets the next `connect` start an engine again. */
  allow(): void {
    this.#heldStopped = false;
  }

  #spawn(): number {
    const log = openSync(this.#options.logPath, 'a', 0o600);
    try {
      const { socketPath, workers } = this.#options;
      const workerOptions = workers === null ? [] : ['--workers', String(workers)];
      const child = spawn(process.execPath, [engineProgram, '--socket', socketPath, ...workerOptions], {
        detached: true,
        stdio: ['ignore', log, log],
      });
      child.on('error', (error) => this.#log.error({ why: error.message }, 'cannot start the engine'));
      child.unref();
      return child.pid ?? -1;
    } finally {
      closeSync(log);
    }
  }

  async #attach(how: string): Promise<EngineClient | null> {
    const socket = await dial(this.#options.socketPath);
    if (socket === null) return null;
    const client = new EngineClient(byteStream(socket));
    try {
      const hello = await client.hello;
      this.#current = { client, hello };
      void client.closed.then(() => {
        if (this.#current?.client === client) this.#current = null;
      });
      this.#log.info({ enginePid: hello.pid, epoch: hello.epoch, version: hello.version }, how);
      return client;
    } catch (thrown) {
      client.close();
      // An engine that is just ending hangs up before it greets; one of another version says so.
      if (toProblem(thrown).code === 'engine.unreachable') return null;
      throw thrown;
    }
  }
}

/** Null when nobody listens there. */
async function dial(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(null));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function byteStream(socket: Socket): ByteStream {
  socket.on('error', () => socket.destroy());
  return {
    write: (bytes) => void socket.write(bytes),
    onData: (callback) => void socket.on('data', callback),
    onClose: (callback) => void socket.once('close', callback),
    close: () => void socket.destroy(),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function unreachable(message: string): ProblemError {
  return new ProblemError(problem('engine.unreachable', message));
}
