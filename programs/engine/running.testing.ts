/** Engines as processes, for tests: started, dialled, and gone when the tests are over. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineClient } from '@vrouter/engine/control/client.ts';
import type { ReadStats } from '@vrouter/engine/stats/reader.ts';

const main = new URL('main.ts', import.meta.url).pathname;

export interface Running {
  readonly child: ChildProcess;
  readonly socket: string;
  readonly ended: Promise<number | null>;
  logs(): string;
}

/** A folder for sockets and the engines that were started; `after` the tests both are gone. */
export class Engines {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'vrouter-engine-'));
  readonly #children = new Set<ChildProcess>();
  #sockets = 0;

  constructor() {
    after(() => {
      for (const child of this.#children) child.kill('SIGKILL');
      rmSync(this.folder, { recursive: true });
    });
  }

  freshSocket(): string {
    return join(this.folder, `${this.#sockets++}.sock`);
  }

  /** Starts an engine, whose second argument is its socket; ends when it is ready or has ended. */
  async start(args: readonly string[]): Promise<Running> {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.add(child);
    let text = '';
    const ended = once(child, 'close').then(() => {
      this.#children.delete(child);
      return child.exitCode;
    });
    const ready = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => {
          text += chunk.toString();
          if (text.includes('"msg":"ready"')) resolve();
        });
    });
    await Promise.race([ready, ended]);
    return { child, socket: args[1] ?? '', ended, logs: () => text };
  }
}

export async function dial(path: string): Promise<{ client: EngineClient; socket: Socket }> {
  const socket = connect(path);
  await once(socket, 'connect');
  const client = new EngineClient({
    write: (bytes) => void socket.write(bytes),
    onData: (callback) => void socket.on('data', callback),
    onClose: (callback) => void socket.on('close', callback),
    close: () => void socket.destroy(),
  });
  return { client, socket };
}

/** What the workers of an engine count, as another process reads it. */
export async function statsReaders(client: EngineClient): Promise<ReadStats[]> {
  const { stats = [] } = await client.hello;
  return stats.map((path) => (at, length) => {
    const fd = openSync(path, 'r');
    const bytes = new Uint8Array(length);
    const got = readSync(fd, bytes, 0, length, at);
    closeSync(fd);
    return bytes.subarray(0, got);
  });
}

export async function within(what: string, condition: () => boolean, ms: number = 5000): Promise<void> {
  for (const end = performance.now() + ms; !condition(); await sleep(5)) assert.ok(performance.now() < end, what);
}
