/**
 * A lab for WireGuard: namespaces joined by veth, our engine in one, wireguard-go in others, and ping(8) through the tunnel. Names carry
 * the process id, so that labs run side by side; `close` takes everything down, processes by their id.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EngineClient } from '@vrouter/engine/control/client.ts';
import type { Action, DumpRow } from '@vrouter/engine/control/messages.ts';
import { generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { programPath } from '../world/needs.ts';
import { workerOptions } from '../world/workers.ts';

export const MTU = 1420;
export const PORT = 51820;
const engineMain = fileURLToPath(new URL('../../programs/engine/main.ts', import.meta.url));

/** What every test here asks of the machine. */
export const LAB_NEEDS = ['root', 'netns', 'tun', 'ip', 'wireguard-go', 'ping'] as const;

export function ip(...args: readonly string[]): void {
  execFileSync(programPath('ip')!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Asks until it is so, for `seconds` at most. */
export async function until(what: string, fulfilled: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(20))
    if (await fulfilled()) return;
  assert.fail(`not within ${seconds} s: ${what}`);
}

export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), 'vr-proofs-'));
  readonly #namespaces: string[] = [];
  readonly #closers: (() => Promise<void>)[] = [];
  #spokes = 0;

  /** The namespace of the hub; each `spoke` gets a cable to it. */
  readonly hub = this.#namespace('h');

  /**
   * A namespace with a cable to the hub: the hub has .1 and ::1 on it, the spoke .2 and ::2. `number` tells the networks:
   * 192.168.N.0/24 and fd0N::/64.
   */
  spoke(): { readonly namespace: string; readonly number: number } {
    const number = 100 + ++this.#spokes;
    const namespace = this.#namespace(`s${this.#spokes}`);
    const cable = `c${this.#spokes}`;
    ip('link', 'add', cable, 'netns', this.hub, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    for (const [where, link, host] of [
      [this.hub, cable, 1],
      [namespace, 'eth0', 2],
    ] as const) {
      ip('-n', where, 'addr', 'add', `192.168.${number}.${host}/24`, 'dev', link);
      ip('-n', where, 'addr', 'add', `fd00:${number}::${host}/64`, 'dev', link, 'nodad');
      ip('-n', where, 'link', 'set', link, 'up');
    }
    return { namespace, number };
  }

  /** Our engine in the hub, or in another namespace (null: the one that we are in). */
  async engine(
    namespace: string | null = this.hub,
    options: { readonly profileInto?: string | null; readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Ours> {
    const path = join(this.folder, `engine${this.#closers.length}.sock`);
    const ours = new Ours(path, namespace, options.profileInto ?? null, options.env ?? {});
    this.#closers.push(() => ours.kill());
    await ours.start();
    return ours;
  }

  /** wireguard-go with its interface in `namespace`; its UDP socket is there too, unless `outside`. */
  async wireguardGo(namespace: string, options: WireguardGoOptions = {}): Promise<WireguardGo> {
    const go = new WireguardGo(namespace, options);
    this.#closers.push(() => go.kill());
    await go.start();
    return go;
  }

  /** A namespace without a cable. */
  island(name: string): string {
    return this.#namespace(name);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    for (const name of this.#namespaces) ip('netns', 'del', name);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #namespace(name: string): string {
    const full = `vrp${process.pid}${name}`;
    ip('netns', 'add', full);
    this.#namespaces.push(full);
    ip('-n', full, 'link', 'set', 'lo', 'up');
    return full;
  }
}

/** vrouter-engine as a process, with a control client. */
export class Ours {
  readonly privateKey = generatePrivateKey();
  readonly publicKey = systemCrypto().publicKey(this.privateKey);
  client: EngineClient | null = null;
  readonly #socketPath: string;
  readonly #namespace: string | null;
  readonly #profileInto: string | null;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | null = null;

  /** `env`: besides our own. */
  constructor(
    socketPath: string,
    namespace: string | null,
    profileInto: string | null = null,
    env: NodeJS.ProcessEnv = {},
  ) {
    this.#env = env;
    this.#socketPath = socketPath;
    this.#namespace = namespace;
    this.#profileInto = profileInto;
  }

  /** An engine without a lab, where we are: for machines where we are not root. `kill` leaves nothing. */
  static alone(): Ours {
    return new Ours(join(tmpdir(), `vr-proofs-${process.pid}.sock`), null);
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  async start(): Promise<void> {
    const profile = this.#profileInto === null ? [] : ['--cpu-prof', '--cpu-prof-dir', this.#profileInto];
    const args = [...profile, engineMain, '--socket', this.#socketPath, '--log-level', 'warn', ...workerOptions];
    this.#child = inside(this.#namespace, process.execPath, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...this.#env },
    });
    for (let tries = 0; this.client === null; tries++) {
      assert.ok(tries < 1000 && this.#child.exitCode === null, 'the engine does not start');
      this.client = await dial(this.#socketPath);
      if (this.client === null) await sleep(20);
    }
    await this.client.hello;
  }

  /** wg0 with 10.99.0.1/16 and fd99::1/64 in the VRF `default`. */
  async gateway(listenPort = PORT): Promise<void> {
    await this.do(
      { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: MTU, adminUp: true },
      { do: 'wireguard.set', link: 'wg0', listenPort, privateKey: this.privateKey.toBase64() },
      { do: 'address.add', link: 'wg0', address: '10.99.0.1/16' },
      { do: 'address.add', link: 'wg0', address: 'fd99::1/64' },
      { do: 'route.set', vrf: 'default', prefix: '10.99.0.0/16', link: 'wg0', nextHop: null },
      { do: 'route.set', vrf: 'default', prefix: 'fd99::/64', link: 'wg0', nextHop: null },
    );
  }

  /** Actions that must all work. */
  async do(...actions: readonly Action[]): Promise<void> {
    const failed = (await this.client!.apply(actions)).filter((problem) => problem !== null);
    assert.deepEqual(failed, []);
  }

  async peer(publicKey: Uint8Array): Promise<Extract<DumpRow, { is: 'peer' }>> {
    const [row] = await this.client!.dump([{ is: 'peer', link: 'wg0', publicKey: publicKey.toBase64() }]);
    assert.ok(row?.is === 'peer');
    return row;
  }

  async drops(): Promise<{ readonly [reason: string]: number }> {
    return (await this.client!.counters()).drops;
  }

  /** kill -9, and wait for the end. One that is profiled is asked to end, since it writes its profile then. */
  async kill(): Promise<void> {
    if (this.#profileInto !== null && this.#child?.exitCode === null) {
      await this.client?.stop();
      await once(this.#child, 'exit');
    }
    await killed(this.#child);
    this.client?.close();
    this.client = null;
    rmSync(this.#socketPath, { force: true });
  }
}

export interface WireguardGoOptions {
  /** Its UDP socket is where we are, and only its interface in the namespace. */
  readonly outside?: boolean;
  /** Another than the one on PATH. */
  readonly program?: string;
  /** Keeps a log, which `said` reads; true if not said. */
  readonly verbose?: boolean;
}

let devices = 0;

export class WireguardGo {
  readonly privateKey = generatePrivateKey();
  readonly publicKey = systemCrypto().publicKey(this.privateKey);
  readonly namespace: string;
  /** The interface. */
  readonly name = `vrp${process.pid}g${devices++}`;
  readonly #options: WireguardGoOptions;
  #child: ChildProcess | null = null;
  #log = '';

  constructor(namespace: string, options: WireguardGoOptions) {
    this.namespace = namespace;
    this.#options = options;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  async start(): Promise<void> {
    rmSync(this.#path, { force: true });
    this.#log = '';
    const { outside = false, program = programPath('wireguard-go')!, verbose = true } = this.#options;
    this.#child = inside(outside ? null : this.namespace, program, ['-f', this.name], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        LOG_LEVEL: verbose ? 'verbose' : 'error',
        WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1',
      },
    });
    const child = this.#child;
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    await until('the control socket of wireguard-go', () => {
      assert.equal(child.exitCode, null, this.#log);
      return existsSync(this.#path);
    });
    if (outside) ip('link', 'set', this.name, 'netns', this.namespace);
    await this.set(`private_key=${this.privateKey.toHex()}`);
  }

  /** Gives the interface 10.99.`high`.`low` and its IPv6 twin, and routes to everything inside. */
  address(low: number, high = 0): void {
    const inner = (...args: string[]): void => ip('-n', this.namespace, ...args);
    inner('addr', 'add', `10.99.${high}.${low}/16`, 'dev', this.name);
    inner('addr', 'add', `fd99::${high * 256 + low}/64`, 'dev', this.name, 'nodad');
    inner('link', 'set', this.name, 'mtu', String(MTU), 'up');
  }

  set(...lines: readonly string[]): Promise<Map<string, string>> {
    return this.#control('set', lines);
  }

  get(): Promise<Map<string, string>> {
    return this.#control('get', []);
  }

  /** How often the log says so since the start. */
  said(what: 'Sending handshake initiation' | 'Received handshake initiation'): number {
    return this.#log.split(what).length - 1;
  }

  forgetLog(): void {
    this.#log = '';
  }

  async kill(): Promise<void> {
    await killed(this.#child);
    rmSync(this.#path, { force: true });
  }

  async #control(operation: 'get' | 'set', lines: readonly string[]): Promise<Map<string, string>> {
    const socket = connect(this.#path);
    socket.write(`${[`${operation}=1`, ...lines].join('\n')}\n\n`);
    let text = '';
    for await (const chunk of socket) {
      text += String(chunk);
      if (/errno=-?\d+\n/.test(text)) break;
    }
    socket.destroy();
    const answer = new Map(text.split('\n').flatMap((line) => [line.split('=', 2) as [string, string]]));
    assert.equal(answer.get('errno'), '0', text);
    return answer;
  }

  get #path(): string {
    return `/var/run/wireguard/${this.name}.sock`;
  }
}

/** Runs ping(8) in a namespace to its end; how many went and came back. */
export async function ping(
  namespace: string,
  to: string,
  count: number,
  interval = 0.2,
  patience = 10,
): Promise<{ readonly sent: number; readonly received: number }> {
  const args = ['-n', '-q', '-c', String(count), '-i', String(interval), '-W', String(patience), to];
  const child = inside(namespace, programPath('ping')!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  const found = /(\d+) packets transmitted, (\d+) received/.exec(text);
  assert.ok(found, text);
  return { sent: Number(found[1]), received: Number(found[2]) };
}

/** Pings until an answer comes. */
export async function reaches(namespace: string, to: string, seconds = 30): Promise<void> {
  await until(`${to} to answer`, async () => (await ping(namespace, to, 1, 0.2, 1)).received === 1, seconds);
}

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** Starts a program in a namespace. `ip netns exec` becomes the program, so the child's id is the program's. */
export function inside(
  namespace: string | null,
  program: string,
  args: readonly string[],
  options: { readonly stdio: ('ignore' | 'pipe' | 'inherit')[]; readonly env?: NodeJS.ProcessEnv },
): ChildProcess {
  if (namespace === null) return spawn(program, args, options);
  return spawn(programPath('ip')!, ['netns', 'exec', namespace, program, ...args], options);
}

async function killed(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** A control client; null when nobody listens there. */
export async function dial(path: string): Promise<EngineClient | null> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch {
    return null;
  }
  // A killed engine may reset the connection: the client hears of it as the end.
  socket.on('error', () => socket.destroy());
  return new EngineClient({
    write: (bytes) => void socket.write(bytes),
    onData: (callback) => void socket.on('data', callback),
    onClose: (callback) => void socket.once('close', callback),
    close: () => void socket.destroy(),
  });
}
