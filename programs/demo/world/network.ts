/**
 * The demo's small network, brought up in order: controller, vrouter and join string, gateway, peers. What is already in the data
 * folder goes on where it stopped.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CreatePeerReply } from '@vrouter/api/rest/peers.ts';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { wgQuickText } from '@vrouter/api/wireguard/wg-quick.ts';
import type { DemoPeer } from '../peers/kinds.ts';
import { startUserspacePeer } from '../peers/userspace.ts';
import { hasWireguardGo, startWireguardGoPeer } from '../peers/wireguard-go.ts';
import { Child } from './child.ts';
import { ControllerApi } from './controller-api.ts';
import { GatewayApi } from './gateway-api.ts';
import type { Leftovers } from './leftovers.ts';
import type { DemoPorts } from './ports.ts';
import { waitFor } from './wait.ts';

export const VROUTER = 'demo';
const START_MS = 20_000;

const programs = fileURLToPath(new URL('../../', import.meta.url));

/** How one of the network's own programs is run. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export interface NetworkOptions {
  readonly folder: string;
  readonly ports: DemoPorts;
  /** Where running programs are written down, for whoever comes after a kill. */
  readonly leftovers: Leftovers;
  /** Let wireguard-go play a peer where it can be had. */
  readonly wireguardGo: boolean;
  /** Told what is being done, for people who wait. */
  progress(what: string): void;
  /** Runs a program otherwise than as it stands: with another clock, on a disk of its own. */
  launch?(name: 'controller' | 'gateway', plain: Launch): Launch;
  /** How long a program may take until it answers, ms. */
  readonly startMs?: number;
}

export class Network {
  readonly controller: ControllerApi;
  readonly gateway: GatewayApi;
  readonly peers: DemoPeer[] = [];
  /** From the gateway's start to its first applied configuration, ms; null when it was enrolled already. */
  enrolMs: number | null = null;
  /** From asking the controller for the last peer to the data plane having it, ms. */
  convergeMs = 0;
  readonly #options: NetworkOptions;
  readonly #children = new Map<'controller' | 'gateway', Child>();

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.controller = new ControllerApi(options.ports.rest, this.path('controller', 'admin-token'));
    this.gateway = new GatewayApi(this.path('gateway', 'vrouterd.sock'));
  }

  path(...parts: string[]): string {
    return join(this.#options.folder, ...parts);
  }

  /** Programs that must not end by themselves. */
  child(name: 'controller' | 'gateway'): Child {
    const child = this.#children.get(name);
    if (child === undefined) throw new Error(`the ${name} was not started`);
    return child;
  }

  async start(): Promise<void> {
    for (const folder of ['logs', 'peers']) mkdirSync(this.path(folder), { recursive: true, mode: 0o700 });
    this.#options.progress('controller');
    await this.startController();
    this.#options.progress('gateway');
    await this.startGateway();
    this.#options.progress('peers');
    for (const name of ['alice', 'bob']) await this.#startPeer(name);
  }

  /** Ends everything that was started, last first. The engine is asked to stop as well: nobody is left to look after it. */
  async stop(): Promise<void> {
    await Promise.all(this.peers.map((peer) => peer.stop()));
    await this.gateway.stopEngine().catch(() => {});
    for (const child of [...this.#children.values()].reverse()) await child.stop();
    this.#options.leftovers.clear();
  }

  /** Writes down which engine runs now; a replaced one is another process. */
  async noteEngine(): Promise<void> {
    const { engine } = await this.gateway.status();
    if (engine !== null) this.#options.leftovers.noteProcess(engine.pid);
  }

  async removePeer(name: string): Promise<void> {
    const { version } = await this.controller.removePeer(VROUTER, name);
    if (version !== null) await this.#applied(version);
  }

  /** Starts the controller, also again after its end; `more` are options besides. */
  async startController(...more: readonly string[]): Promise<void> {
    const { rest, agents } = this.#options.ports;
    const listeners = ['--rest', `127.0.0.1:${rest}`, '--agents', `127.0.0.1:${agents}`];
    const args = ['--data', this.path('controller'), ...listeners, ...more];
    const child = this.#spawn('controller', 'controller/main.ts', args);
    await this.#waitFor(child, 'the controller to answer', () => this.controller.healthy());
  }

  /** Starts the gateway's daemon, also again after its end; it joins when it has not yet. */
  async startGateway(how: { readonly controllerIsAway?: boolean; readonly join?: string } = {}): Promise<void> {
    const args = ['--bootstrap', '--data', this.path('gateway')];
    if (how.controllerIsAway === true || how.join !== undefined) {
      if (how.join !== undefined) args.push('--join', how.join);
      const child = this.#spawn('gateway', 'vrouterd/main.ts', args);
      await this.#waitFor(child, 'the gateway to answer', () => this.gateway.status());
      return;
    }
    const known = (await this.controller.vrouters()).vrouters.find((vrouter) => vrouter.name === VROUTER);
    let joins = false;
    if (known === undefined) {
      const created = await this.controller.createVrouter({ name: VROUTER, listenPort: this.#options.ports.wireguard });
      args.push('--join', created.join.string);
      joins = true;
    } else if (!known.status.registered) {
      args.push('--join', (await this.controller.createToken(VROUTER)).join.string);
      joins = true;
    }
    const began = performance.now();
    const child = this.#spawn('gateway', 'vrouterd/main.ts', args);
    await this.#waitFor(child, 'the gateway to have its configuration', async () => {
      const { appliedVersion, storedVersion } = await this.gateway.status();
      const { version } = await this.controller.status(VROUTER);
      return appliedVersion === version && storedVersion === version ? true : null;
    });
    if (joins) this.enrolMs = performance.now() - began;
  }

  async #startPeer(name: string): Promise<void> {
    const filePath = this.path('peers', `${name}.conf`);
    const there = (await this.controller.peers(VROUTER)).peers.some((peer) => peer.name === name);
    if (there && !existsSync(filePath)) await this.controller.removePeer(VROUTER, name);
    if (!there || !existsSync(filePath)) {
      const keys = await newKeyPair();
      const began = performance.now();
      const created = await this.controller.createPeer(VROUTER, { name, publicKey: keys.publicKey });
      await this.#applied(created.version);
      this.convergeMs = performance.now() - began;
      writeFileSync(filePath, wgQuickFile(keys.privateKey, created), { mode: 0o600 });
    }
    const log = this.path('logs', `peer-${name}.log`);
    const real = this.#options.wireguardGo && name === 'bob' && (await hasWireguardGo());
    const { leftovers } = this.#options;
    this.peers.push(await (real ? startWireguardGoPeer : startUserspacePeer)(name, filePath, log, leftovers));
    await this.noteEngine();
  }

  async #applied(version: number): Promise<void> {
    await waitFor(`version ${version} on the data plane`, START_MS, async () => {
      const { appliedVersion } = await this.controller.status(VROUTER);
      return appliedVersion !== null && appliedVersion >= version ? true : null;
    });
  }

  #spawn(name: 'controller' | 'gateway', program: string, args: readonly string[]): Child {
    const logPath = this.path('logs', `${name}.log`);
    const plain: Launch = { command: process.execPath, args: [join(programs, program), ...args] };
    const child = new Child({ name, ...(this.#options.launch?.(name, plain) ?? plain), logPath });
    this.#children.set(name, child);
    this.#options.leftovers.noteProcess(child.pid);
    return child;
  }

  async #waitFor<T>(child: Child, what: string, ask: () => Promise<T | null>): Promise<T> {
    const ended = child.ended.then(() => {
      throw child.failure('ended');
    });
    return Promise.race([waitFor(what, this.#options.startMs ?? START_MS, ask), ended]);
  }
}

/** All that a peer ever knows. */
export function wgQuickFile(privateKey: string, reply: CreatePeerReply): string {
  return wgQuickText(reply, { privateKey, presharedKey: null }, 25);
}
