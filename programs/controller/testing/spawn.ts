/** The real controller as a process of its own, on free ports and a temporary folder; for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { urlFor } from './place.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const START_MS = 15_000;

export class ControllerProcess {
  readonly child: ChildProcess;
  readonly rest: string;
  readonly agents: string;
  readonly agentsPort: number;
  readonly rootFingerprint: string;
  /** The administrator's; '' where it was moved away. */
  token: string;
  /** What it has written to standard error so far. */
  readonly log: () => string;

  private constructor(
    child: ChildProcess,
    log: () => string,
    token: string,
    where: { rest: string; agents: string; agentsPort: number; rootFingerprint: string },
  ) {
    this.child = child;
    this.log = log;
    this.token = token;
    this.rest = where.rest;
    this.agents = where.agents;
    this.agentsPort = where.agentsPort;
    this.rootFingerprint = where.rootFingerprint;
  }

  /** Starts it on `data` and waits until it listens. `ports`: REST and agents; 0 takes free ones. `more`: further arguments. */
  static async start(
    data: string,
    ports: readonly [number, number] = [0, 0],
    more: readonly string[] = [],
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<ControllerProcess> {
    const url = more.includes('--store') ? null : await urlFor(data);
    const listeners = ['--rest', `127.0.0.1:${ports[0]}`, '--agents', `127.0.0.1:${ports[1]}`];
    const store = url === null ? [] : ['--store', url];
    const child = spawnController(['--data', data, ...listeners, ...store, ...more], env);
    let log = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    const end = Date.now() + START_MS;
    while (!log.includes('"msg":"listening"')) {
      if (child.exitCode !== null || Date.now() > end) {
        child.kill('SIGKILL');
        throw new Error(`the controller did not start:\n${log}`);
      }
      await delay(10);
    }
    const path = join(data, 'admin-token');
    const token = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
    return new ControllerProcess(
      child,
      () => log,
      token,
      JSON.parse(readFileSync(join(data, 'controller.json'), 'utf8')),
    );
  }

  /** Sends a signal and waits for the end; how long that took, ms. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
    const from = performance.now();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exit = once(this.child, 'exit');
      this.child.kill(signal);
      await exit;
    }
    return performance.now() - from;
  }

  /** A REST call with the administrator's token, or another; the parsed answer and its status. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    token: string | null = this.token,
  ): Promise<{ status: number; json: unknown }> {
    const response = await fetch(this.rest + path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : text };
  }
}

export function spawnController(args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
}
