/** A controller and a gateway, each with a wall clock that the test sets while they run (libfaketime); monotonic clocks stay true. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { StatusReply } from '@vrouter/api/gateway/gateway.ts';
import type { CreateVrouterReply, VrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import { wireguardKey } from '../../programs/controller/testing/gateway.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';
import { Child } from '../../programs/demo/world/child.ts';
import { GatewayApi } from '../../programs/demo/world/gateway-api.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';

const VROUTERD = fileURLToPath(new URL('../../programs/vrouterd/main.ts', import.meta.url));
const VROUTER = 'clocks';
/** libfaketime looks into its file this often, s. */
const LOOK_SECONDS = 1;

type Who = 'controller' | 'gateway';

export class ClockLab implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vr-clocks-'));
  readonly #preload: string;
  readonly gateway: GatewayApi;
  #controller: ControllerProcess | null = null;
  #daemon: Child | null = null;
  #ports: [number, number] = [0, 0];

  constructor() {
    // The wrapper knows where the library lies on this machine.
    const env = execFileSync('faketime', ['-f', '+0', 'env'], { encoding: 'utf8' });
    this.#preload = /^LD_PRELOAD=(.+)$/m.exec(env)![1]!;
    mkdirSync(join(this.#folder, 'gateway'), { mode: 0o700 });
    this.gateway = new GatewayApi(join(this.#folder, 'gateway', 'vrouterd.sock'));
    this.set('controller', 0);
    this.set('gateway', 0);
  }

  /** Sets a clock off by so much, s; a program that runs sees it after a second. */
  set(who: Who, offSeconds: number): void {
    // Whoever looks meanwhile finds the old file or the new one.
    writeFileSync(`${this.#clockPath(who)}.new`, `${offSeconds >= 0 ? '+' : ''}${offSeconds}s\n`);
    renameSync(`${this.#clockPath(who)}.new`, this.#clockPath(who));
  }

  /** As `set`, and waits until it is seen. */
  async jump(who: Who, offSeconds: number): Promise<void> {
    this.set(who, offSeconds);
    // It counts in whole seconds.
    await delay(LOOK_SECONDS * 2000 + 200);
  }

  async startController(): Promise<void> {
    this.#controller = await ControllerProcess.start(
      join(this.#folder, 'controller'),
      this.#ports,
      [],
      this.#env('controller'),
    );
    this.#ports = [Number(new URL(this.#controller.rest).port), Number(new URL(this.#controller.agents).port)];
  }

  async stopController(): Promise<void> {
    await this.#controller?.end('SIGKILL');
  }

  /** A new join string: the first makes the vrouter. */
  async joinString(): Promise<string> {
    // A port that nobody has now: several labs may run at once.
    const listenPort = await freePort();
    const made = await this.#controller!.call('POST', '/v1/vrouters', { name: VROUTER, listenPort });
    if (made.status === 201) return (made.json as CreateVrouterReply).join.string;
    const { json } = await this.#controller!.call('POST', `/v1/vrouters/${VROUTER}/tokens`);
    return (json as { join: { string: string } }).join.string;
  }

  async startGateway(join: string | null = null): Promise<void> {
    const args = ['--bootstrap', '--data', this.#path('gateway'), ...(join === null ? [] : ['--join', join])];
    this.#daemon = new Child({
      name: 'vrouterd',
      command: process.execPath,
      args: [VROUTERD, ...args],
      logPath: this.#logPath,
      env: this.#env('gateway'),
    });
    await waitFor('vrouterd to answer', 20_000, () => this.gateway.status());
  }

  async stopGateway(): Promise<void> {
    await this.#daemon?.stop();
  }

  get log(): string {
    return readFileSync(this.#logPath, 'utf8');
  }

  /** How the gateway sees its controller, once that is as it should be. */
  async until(
    what: string,
    is: (controller: StatusReply['controller']) => boolean,
    ms = 20_000,
  ): Promise<StatusReply['controller']> {
    let last: StatusReply['controller'] | null = null;
    try {
      return await waitFor(what, ms, async () => {
        last = (await this.gateway.status()).controller;
        return is(last) ? last : null;
      });
    } catch (thrown) {
      throw new Error(`${String(thrown)}; the gateway says ${JSON.stringify(last)}\n${this.log.slice(-6000)}`);
    }
  }

  /** A change is made at the controller and reaches the plane. */
  async change(name: string): Promise<void> {
    const body = { name, publicKey: wireguardKey() };
    const { json, status } = await this.#controller!.call('POST', `/v1/vrouters/${VROUTER}/peers`, body);
    if (status !== 201) throw new Error(JSON.stringify(json));
    await waitFor(`peer ${name} on the plane`, 20_000, async () =>
      (await this.gateway.peers()).some((peer) => peer.name === name) ? true : null,
    );
  }

  async vrouterStatus(): Promise<VrouterStatus> {
    return (await this.#controller!.call('GET', `/v1/vrouters/${VROUTER}/status`)).json as VrouterStatus;
  }

  /** How many certificates were issued ever. */
  async issued(): Promise<number> {
    const metrics = String((await this.#controller!.call('GET', '/metrics')).json);
    return Number(/what="certificatesIssued"\} (\d+)/.exec(metrics)?.[1] ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway.stopEngine().catch(() => {});
    await this.stopGateway();
    await this.stopController();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #env(who: Who): NodeJS.ProcessEnv {
    return {
      ...process.env,
      LD_PRELOAD: this.#preload,
      FAKETIME_TIMESTAMP_FILE: this.#clockPath(who),
      FAKETIME_CACHE_DURATION: String(LOOK_SECONDS),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // Times of files stay true: nothing of ours depends on them.
      NO_FAKE_STAT: '1',
    };
  }

  get #logPath(): string {
    return this.#path('vrouterd.log');
  }

  #clockPath(who: Who): string {
    return this.#path(`${who}.clock`);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
