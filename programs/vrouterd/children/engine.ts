/**
 * Looks after `vrouter-engine`: finds the one that runs and adopts it, or starts one. The engine is a process of its own session, so
 * that it outlives us: whoever restarts this daemon loses no packet.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ProblemError, problem, toProblem } from '@vrouter/core/problem.ts';
import { type ByteStream, EngineClient } from '@vrouter/engine/control/client.ts';
import { slowBackends } from '@vrouter/engine/control/machine.ts';
import type { Hello, MachineFacts } from '@vrouter/engine/control/messages.ts';
import type { Logger } from 'pino';
import { engineProgram, findEngine, isEngineOf } from './process.ts';
import { defaultPatience, EngineWatch, type Patience } from './watch.ts';

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
  /** The connection that asks whether it is well. */
  #asking: EngineClient | null = null;
  readonly #watch: EngineWatch;

  /** `patience`: how long an engine may be silent before it is replaced. */
  constructor(options: EngineOptions, log: Logger, patience: Patience = defaultPatience) {
    this.#options = options;
    this.#log = log;
    this.#watch = new EngineWatch(
      {
        ask: () => this.#ask(),
        silent: (ms) => this.#log.error(this.#named({ silentMs: ms }), 'the engine is there and does not answer'),
        back: () => this.#log.info(this.#named({}), 'the engine answers again'),
        giveUp: (ms) => this.#giveUp(ms),
      },
      patience,
    );
  }

  /** The engine that we are connected to; `machine` is null when it does not tell. */
  running(): { readonly pid: number; readonly epoch: string; readonly machine: MachineFacts | null } | null {
    if (this.#current === null) return null;
    const { pid, epoch, machine = null } = this.#current.hello;
    return { pid, epoch, machine };
  }

  /** Whether it is there and has not answered for long. */
  get isSilent(): boolean {
    return this.#watch.isSilent;
  }

  /** Looks after the engine no more; it goes on. */
  close(): void {
    this.#watch.stop();
    this.#asking?.close();
    this.#asking = null;
  }

  /** A connection to a running engine, started if there is none. Rejects with ProblemError `engine.unreachable`. */
  async connect(signal: AbortSignal): Promise<EngineClient> {
    this.#watch.start();
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
   * sends: it then keeps little, and counts what it cannot keep. Rejects with ProblemError `engine.unreachable`, or `timeout` when the
   * engine has not greeted by the time that the signal aborts.
   */
  async connectAside(signal: AbortSignal): Promise<AsideConnection> {
    const socket = await dial(this.#options.socketPath);
    if (socket === null) throw unreachable(`no engine answers at ${this.#options.socketPath}`);
    const client = new EngineClient(byteStream(socket));
    // The kernel takes the connection, however stuck the engine is.
    const hangUp = (): void => client.close();
    signal.addEventListener('abort', hangUp, { once: true });
    if (signal.aborted) hangUp();
    try {
      await client.hello;
    } catch (thrown) {
      throw signal.aborted ? new ProblemError(problem('timeout', 'the engine has not answered in time')) : thrown;
    } finally {
      signal.removeEventListener('abort', hangUp);
    }
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

  /** One row of a dump: every worker has to answer. Whoever hangs up, refuses or is not there has answered. */
  async #ask(): Promise<void> {
    try {
      if (this.#asking === null) {
        const socket = await dial(this.#options.socketPath);
        if (socket === null) return;
        const client = new EngineClient(byteStream(socket));
        this.#asking = client;
        void client.closed.then(() => {
          if (this.#asking === client) this.#asking = null;
        });
      }
      await this.#asking.hello;
      await this.#asking.dump([{ is: 'vrf', name: 'default' }]);
    } catch {
      this.#asking?.close();
      this.#asking = null;
    }
  }

  /** Ends an engine that is stuck, as a dead one would have ended: the next `connect` starts another. */
  #giveUp(ms: number): void {
    const { start, socketPath } = this.#options;
    const pid = this.#current?.hello.pid ?? findEngine(socketPath);
    if (!start || pid === null || !isEngineOf(pid, socketPath)) {
      this.#log.error(this.#named({ silentMs: ms }), 'the engine does not answer, and is not ours to replace');
      return;
    }
    this.#log.error({ enginePid: pid, silentMs: ms }, 'the engine does not answer: it is killed, and another started');
    try {
      process.kill(pid, 'SIGKILL');
    } catch (thrown) {
      this.#log.error({ enginePid: pid, why: (thrown as Error).message }, 'the engine cannot be killed');
    }
  }

  #named<T extends object>(fields: T): T & { readonly enginePid: number | null; readonly socket: string } {
    return { enginePid: this.#current?.hello.pid ?? null, socket: this.#options.socketPath, ...fields };
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
      this.#log.info({ enginePid: hello.pid, epoch: hello.epoch, version: hello.version, ...hello.machine }, how);
      const slow = hello.machine === undefined ? [] : slowBackends(hello.machine);
      for (const what of slow)
        this.#log.warn({ enginePid: hello.pid }, `the engine is slower than it could be: ${what}`);
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
