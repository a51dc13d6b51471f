/** The real daemon in the hub of a lab, with intents of its file, and the engine that it starts. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineClient } from '@vrouter/engine/control/client.ts';
import type { DumpRow } from '@vrouter/engine/control/messages.ts';
import { GatewayApi } from '../../programs/demo/world/gateway-api.ts';
import { workersWanted } from '../world/workers.ts';
import { dial, inside, type Lab, until } from './lab.ts';

const vrouterd = fileURLToPath(new URL('../../programs/vrouterd/main.ts', import.meta.url));

export class Daemon {
  readonly api: GatewayApi;
  readonly #lab: Lab;
  readonly #data: string;
  readonly #config: string;
  #child: ChildProcess | null = null;

  constructor(lab: Lab, intents: readonly unknown[]) {
    this.#lab = lab;
    this.#data = join(lab.folder, 'data');
    this.api = new GatewayApi(join(this.#data, 'vrouterd.sock'));
    this.#config = join(lab.folder, 'vrouterd.yaml');
    this.write(intents);
  }

  /** The file has other intents now; `reload` has them read. */
  write(intents: readonly unknown[]): void {
    const engine = workersWanted === null ? {} : { workers: workersWanted };
    // JSON is YAML.
    writeFileSync(this.#config, JSON.stringify({ plane: 'userspace', engine, intents }));
  }

  reload(): void {
    this.#child!.kill('SIGHUP');
  }

  start(): void {
    const args = [vrouterd, '--config', this.#config, '--data', this.#data, '--log-level', 'error'];
    this.#child = inside(this.#lab.hub, process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Ends the daemon and whatever engine it has, whatever became of either. */
  async stop(): Promise<void> {
    await this.api.stopEngine().catch(() => {});
    await this.end('SIGTERM');
    const client = await dial(join(this.#data, 'engine.sock')).catch(() => null);
    await client?.stop().catch(() => null);
    await client?.closed;
  }

  /** The engine that runs now, once it has a device and a peer. */
  async engine(): Promise<{ readonly client: EngineClient; readonly pid: number; readonly publicKey: Uint8Array }> {
    let client: EngineClient | null = null;
    let rows: readonly DumpRow[] = [];
    await until('a configured engine', async () => {
      client ??= await dial(join(this.#data, 'engine.sock'));
      try {
        rows = (await client?.dump()) ?? [];
      } catch {
        // An engine that is just dying took the call and never answers.
        client?.close();
        client = null;
        return false;
      }
      return (
        rows.some((row) => row.is === 'wireguard' && row.localPort !== null) && rows.some((row) => row.is === 'peer')
      );
    });
    const found: EngineClient = client!;
    const device = rows.find((row) => row.is === 'wireguard')!;
    return { client: found, pid: (await found.hello).pid, publicKey: Uint8Array.fromBase64(device.publicKey) };
  }
}
