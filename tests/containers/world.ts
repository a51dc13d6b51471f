/**
 * A host that routes for containers, with the real vrouterd, which can be killed, and the host rebooted:
 *
 *     out 192.0.2.2, 2001:db8::2 ── up0 [router] ─┬─ br-a 172.18.0.1/16 fd18::1/64 ── a1 .2, a2 .3
 *                                                 ├─ br-b 172.19.0.1/16 fd19::1/64 ── b1 .2
 *                                                 └─ br-c 172.20.0.1/16 fd20::1/64 ── c1 .2
 *
 * The program that uses it has network and mount namespaces of its own already; the router is a namespace in them.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { findProcesses, type ProcessId } from '../../programs/vrouterd/children/dnsmasq/process.ts';
import { Host } from '../nftables/places.ts';
import type { Heard } from './stream.ts';

const vrouterd = new URL('../../programs/vrouterd/main.ts', import.meta.url).pathname;
const streamer = new URL('stream.ts', import.meta.url).pathname;

/** Of this world alone: resolvers are found by it. */
export const NAMES = `/run/vrouter/names-${process.pid}`;
/** A host's name, its network, and the last part of its addresses. */
export const CONTAINERS = [
  ['a1', 'a', 2],
  ['a2', 'a', 3],
  ['b1', 'b', 2],
  ['c1', 'c', 2],
] as const;
type Name = 'out' | (typeof CONTAINERS)[number][0];

export const run = (command: string, input?: string): string => {
  const [name, ...args] = command.split(' ');
  return execFileSync(name!, args, {
    encoding: 'utf8',
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  });
};
export const ip = (command: string): string => run(`ip ${command}`);
/** In the router's namespace. */
export const onRouter = (command: string, input?: string): string => run(`ip netns exec router ${command}`, input);

const NUMBERS: { readonly [letter: string]: number } = { a: 18, b: 19, c: 20 };

export const network = (letter: 'a' | 'b' | 'c', over: object = {}): object => {
  const n = NUMBERS[letter]!;
  return {
    kind: 'network',
    id: letter,
    attachment: 'bridged',
    interface: `br-${letter}`,
    subnets: [
      { prefix: `172.${n}.0.0/16`, gateway: `172.${n}.0.1` },
      { prefix: `fd${n}::/64`, gateway: `fd${n}::1` },
    ],
    domain: `${letter}.example`,
    dnsServers: [],
    ...over,
  };
};
export const port = (hostPort: number, address: string, to: number, over: object = {}): object => ({
  kind: 'publishedPort',
  hostPort,
  protocol: 'tcp',
  address,
  port: to,
  ...over,
});
export const name = (of: string, text: string, address: string): object => ({
  kind: 'dnsName',
  network: of,
  name: text,
  addresses: [address],
});

export const intents: readonly object[] = [
  network('a'),
  network('b'),
  port(8080, '172.18.0.2', 80),
  port(8080, 'fd18::2', 80, { hostAddress: '::' }),
  port(7000, '172.18.0.2', 7000),
  name('a', 'web', '172.18.0.2'),
  name('b', 'web', '172.19.0.2'),
];

/** A download, asked about by lines. */
export class Download {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(space: string, ...args: readonly string[]) {
    this.#child = spawn('ip', ['netns', 'exec', space, process.execPath, streamer, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines: Interface = createInterface({ input: this.#child.stdout! });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async ready(): Promise<this> {
    const first = await Promise.race([this.#lines.next(), sleep(60_000, undefined, { ref: false })]);
    assert.ok(first, 'a download does not begin');
    return this;
  }

  async heard(): Promise<Heard> {
    this.#child.stdin!.write('\n');
    return JSON.parse((await this.#lines.next()).value as string) as Heard;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'containers-'));
  readonly config = join(this.folder, 'vrouterd.yaml');
  hosts: { readonly [N in Name]: Host } = {} as never;
  log = '';
  #daemon: ChildProcess | null = null;

  async start(): Promise<void> {
    run('mount -t tmpfs none /run');
    mkdirSync('/run/netns', { recursive: true });
    ip('link set lo up');
    for (const space of ['out', ...CONTAINERS.map(([space]) => space)]) {
      ip(`netns add ${space}`);
      ip(`-n ${space} link set lo up`);
    }
    this.boot();
    const started = ['out', ...CONTAINERS.map(([space]) => space)].map(
      async (space) => [space, await new Host(space).start()] as const,
    );
    this.hosts = Object.fromEntries(await Promise.all(started)) as never;
  }

  /** The router as a machine that has just started. */
  boot(): void {
    ip('netns add router');
    ip('-n router link set lo up');
    ip('-n router link add up0 type veth peer name eth0 netns out');
    ip('-n router address add 192.0.2.1/24 dev up0');
    ip('-n router address add 2001:db8::1/64 dev up0 nodad');
    ip('-n router link set up0 up');
    ip('-n out address add 192.0.2.2/24 dev eth0');
    ip('-n out address add 2001:db8::2/64 dev eth0 nodad');
    ip('-n out link set eth0 up');
  }

  /** Everything in the kernel is gone, and so is /run. */
  async crash(): Promise<void> {
    await this.kill();
    for (const { pid } of this.resolvers()) process.kill(pid, 'SIGKILL');
    const names = run('ip -n router -j link').trim();
    for (const { ifname } of JSON.parse(names) as { ifname: string }[])
      if (/^(up0|p-)/.test(ifname)) ip(`-n router link del ${ifname}`);
    ip('netns del router');
    rmSync('/run/vrouter', { recursive: true, force: true });
    this.boot();
  }

  /** As a container runtime does it: cables of the containers into the bridges, for those of the networks that are named. */
  attach(...letters: readonly string[]): void {
    for (const [space, letter, last] of CONTAINERS) {
      if (!letters.includes(letter)) continue;
      const n = NUMBERS[letter]!;
      ip(`-n router link add p-${space} type veth peer name eth0 netns ${space}`);
      ip(`-n router link set p-${space} master br-${letter} up`);
      ip(`-n ${space} address add 172.${n}.0.${last}/16 dev eth0`);
      ip(`-n ${space} address add fd${n}::${last}/64 dev eth0 nodad`);
      ip(`-n ${space} link set eth0 up`);
      ip(`-n ${space} route add default via 172.${n}.0.1`);
      ip(`-n ${space} route add default via fd${n}::1`);
    }
  }

  say(what: readonly object[]): void {
    writeFileSync(this.config, stringify({ plane: 'linux', names: NAMES, logLevel: 'info', intents: what }));
  }

  /** Starts vrouterd; resolves when it runs. */
  async run(): Promise<void> {
    this.spawn();
    await this.logged('"running"');
  }

  spawn(): void {
    this.log = '';
    const words = [process.execPath, vrouterd, '--config', this.config, '--data', join(this.folder, 'data')];
    const child = spawn('ip', ['netns', 'exec', 'router', ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text) => (this.log += text));
    this.#daemon = child;
  }

  async logged(what: string): Promise<void> {
    await until(`vrouterd says ${what}`, () => this.log.includes(what)).catch((thrown: Error) => {
      throw new Error(`${thrown.message}\n${this.log.slice(-3000)}`);
    });
  }

  /** What vrouterd says on its own socket; null: it does not. */
  ask(path: string): Promise<unknown> {
    return new Promise((resolve) => {
      get({ socketPath: join(this.folder, 'data/vrouterd.sock'), path }, (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (piece) => (text += piece));
        reply.on('end', () => resolve(reply.statusCode === 200 ? JSON.parse(text) : null));
      }).on('error', () => resolve(null));
    });
  }

  /** Nothing is left to be done, and nothing fails. How long it took, ms. */
  settled(limitMs = 90_000): Promise<number> {
    return until(
      'all is as it should be',
      async () => {
        const plan = (await this.ask('/v1/plan')) as { steps: readonly unknown[] } | null;
        const stats = (await this.ask('/v1/stats')) as { failing: readonly unknown[] } | null;
        return plan?.steps.length === 0 && stats?.failing.length === 0;
      },
      limitMs,
    );
  }

  reload(): void {
    this.#daemon!.kill('SIGHUP');
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#daemon;
    this.#daemon = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  /** The processes that answer names. */
  resolvers(): readonly ProcessId[] {
    return [...findProcesses(NAMES).values()].flat();
  }

  download(space: Name, address: string, from: number): Promise<Download> {
    return new Download(space, 'get', address, String(from)).ready();
  }

  serve(space: Name, at: number): Promise<Download> {
    return new Download(space, 'serve', String(at)).ready();
  }

  async end(): Promise<void> {
    await this.kill();
    for (const { pid } of this.resolvers()) process.kill(pid, 'SIGKILL');
    for (const host of Object.values(this.hosts)) await host.end();
    rmSync(this.folder, { recursive: true });
  }
}

/** How long it took, ms. */
export async function until(what: string, is: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<number> {
  const began = performance.now();
  while (!(await is())) {
    assert.ok(performance.now() - began < limitMs, `${what}: not within ${limitMs} ms`);
    await sleep(5);
  }
  return Math.round(performance.now() - began);
}

/** Files below a folder with their texts. */
export function filesOf(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
      if (entry.isFile()) {
        const path = join(entry.parentPath, entry.name);
        found.set(path, readFileSync(path, 'utf8'));
      }
  } catch {}
  return found;
}
