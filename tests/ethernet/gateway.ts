/** An engine as a process in a namespace, and a gateway's way from intents to its tables. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Secret } from '@vrouter/core/secret.ts';
import { UserspaceDriver } from '@vrouter/drivers/userspace/driver.ts';
import { engineKinds } from '@vrouter/drivers/userspace/served.ts';
import { EngineClient } from '@vrouter/engine/control/client.ts';
import { fingerprint, generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { diffAll } from '@vrouter/intent/diff/diff.ts';
import { withDependants } from '@vrouter/intent/diff/replace.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { programPath } from '../world/needs.ts';
import { workerOptions } from '../world/workers.ts';

const engineMain = new URL('../../programs/engine/main.ts', import.meta.url).pathname;
const signal = new AbortController().signal;
const WAIT_MS = 15_000;

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await condition()); waited += 50) {
    assert.ok(waited < WAIT_MS, what);
    await sleep(50);
  }
}

export async function end(child: ChildProcess, how: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(how);
  await once(child, 'exit');
}

export class Gateway {
  readonly privateKey = generatePrivateKey();
  readonly publicKey = systemCrypto().publicKey(this.privateKey);
  readonly driver: UserspaceDriver;
  #desired: Desired;
  readonly #folder = mkdtempSync(join(tmpdir(), 'vr-ether-'));
  #engine: ChildProcess | null = null;

  constructor() {
    this.#desired = this.#nothing();
    this.driver = new UserspaceDriver(() => this.#dial());
  }

  async start(namespace: string): Promise<void> {
    const argv = [process.execPath, engineMain, '--socket', this.#path, '--log-level', 'warn', ...workerOptions];
    const options = { stdio: ['ignore', 'inherit', 'inherit'] as ('ignore' | 'inherit')[] };
    this.#engine = spawn(programPath('ip')!, ['netns', 'exec', namespace, ...argv], options);
    await until('the engine listens', () => existsSync(this.#path));
  }

  /** Makes these intents all there is; the problems of the steps that failed, by key. */
  async want(intents: readonly object[]): Promise<{ readonly [key: string]: string }> {
    this.#desired = this.#nothing();
    for (const intent of intents) {
      const parsed = parseIntent(intent);
      assert.ok(parsed.ok, JSON.stringify(parsed));
      this.#desired.put('file', parsed.value);
    }
    return this.reconcile();
  }

  /** One look at everything and one batch; the problems of the steps that failed, by key. */
  async reconcile(): Promise<{ readonly [key: string]: string }> {
    this.#desired.takeDirty();
    const { builtIn } = this.driver.capabilities();
    const wanted = [...this.#desired.all()];
    const seen = await this.driver.observe('all', signal);
    const steps = plan(withDependants(diffAll(wanted, seen, builtIn), wanted, seen));
    const failed = (await this.driver.apply(steps, signal)).flatMap((one) =>
      one.ok ? [] : [[one.key, `${one.error.code} ${one.error.message}`] as const],
    );
    if (failed.length === 0)
      assert.deepEqual(diffAll(wanted, await this.driver.observe('all', signal), builtIn), [], 'nothing is left to do');
    return Object.fromEntries(failed);
  }

  async drops(): Promise<{ readonly [reason: string]: number }> {
    return (await this.driver.counters(signal)).drops;
  }

  async neighbours(): ReturnType<UserspaceDriver['neighbours']> {
    return this.driver.neighbours(1000, signal);
  }

  async stop(): Promise<void> {
    await this.driver.close();
    if (this.#engine !== null) await end(this.#engine, 'SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #path(): string {
    return join(this.#folder, 'engine.sock');
  }

  #nothing(): Desired {
    const secretOf = (bytes: Uint8Array): Secret => new Secret(bytes, fingerprint(bytes));
    const outside = {
      tableId: (vrf: string) => 1001 + vrf.length,
      privateKey: () => secretOf(this.privateKey.slice()),
      secret: (base64: string) => secretOf(Uint8Array.fromBase64(base64)),
    };
    return new Desired(outside, engineKinds);
  }

  async #dial(): Promise<EngineClient> {
    const socket = connect(this.#path);
    await once(socket, 'connect');
    return new EngineClient({
      write: (bytes) => void socket.write(bytes),
      onData: (callback) => void socket.on('data', callback),
      onClose: (callback) => void socket.on('close', callback),
      close: () => void socket.destroy(),
    });
  }
}
