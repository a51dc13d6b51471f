/**
 * Two networks of a router that forwards, a host in each, and a server outside that others ask for names:
 *
 *   b 172.18.0.2, fd18::2 -- blue  [ router ] green -- 172.19.0.2, fd19::2 g
 *                        172.18.0.1, fd18::1   172.19.0.1, fd19::1
 *                                    out 192.0.2.1 -- 192.0.2.2 u
 *
 * On the router runs `gateway.ts`, which is killed and started again; on the hosts `asker.ts` and dig.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Applied, Change } from '@vrouter/drivers/contract/driver.ts';
import {
  type DnsRecordObject,
  type DnsZoneObject,
  type ObjectKey,
  type Observed,
  objectKey,
  type PlaneObject,
} from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { ZoneHealth } from '../../programs/vrouterd/children/dnsmasq/supervisor.ts';
import { needs, programPath } from '../world/needs.ts';
import type { FloodReport } from './flood.ts';
import type { DnsAnswer } from './message.ts';

export const NEEDS = ['root', 'netns', 'ip', 'dnsmasq', 'dig'] as const;
export const skip = needs(...NEEDS);

export type Host = 'b' | 'g' | 'u' | 'router';

export const zone = (over: Partial<DnsZoneObject> = {}): DnsZoneObject => ({
  kind: 'dnsZone',
  name: 'blue',
  link: 'blue',
  listen: ['172.18.0.1', 'fd18::1'],
  domain: 'blue.example',
  upstreams: [],
  ...over,
});
export const green = (over: Partial<DnsZoneObject> = {}): DnsZoneObject =>
  zone({ name: 'green', link: 'green', listen: ['172.19.0.1', 'fd19::1'], domain: 'green.example', ...over });

export const record = (name: string, data: string, of = 'blue'): DnsRecordObject => ({
  kind: 'dnsRecord',
  zone: of,
  name,
  type: data.includes(':') ? 'AAAA' : 'A',
  data,
});

export const create = (object: PlaneObject): Step => ({ op: 'create', key: objectKey(object), object, effect: 'none' });
export const remove = (before: PlaneObject): Step => ({ op: 'delete', key: objectKey(before), before, effect: 'none' });

/** A program of ours in a namespace, which is asked over IPC. */
class Remote {
  readonly process: ChildProcess;
  readonly ready: Promise<unknown>;
  readonly changes: Change[] = [];
  /** How long the last question took over there, ms. */
  ms = 0;
  #id = 0;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();

  constructor(space: string, program: string, ...words: readonly string[]) {
    const path = fileURLToPath(new URL(program, import.meta.url));
    this.process = spawn(programPath('ip')!, ['netns', 'exec', space, process.execPath, path, ...words], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.ready = Promise.race([
      once(this.process, 'message'),
      once(this.process, 'exit').then(() => Promise.reject(new Error(`${program} has ended`))),
    ]);
    this.ready.catch(() => {});
    this.process.on(
      'message',
      (told: { id?: number; value?: unknown; problem?: unknown; change?: Change; ms?: number }) => {
        if (told.change !== undefined) this.changes.push(told.change);
        const open = this.#open.get(told.id ?? -1);
        if (open === undefined) return;
        this.#open.delete(told.id!);
        this.ms = told.ms ?? 0;
        if (told.problem === undefined) open.resolve(told.value);
        else open.reject(new Error(JSON.stringify(told.problem)));
      },
    );
  }

  ask<T>(request: object): Promise<T> {
    const id = this.#id++;
    return new Promise<unknown>((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.process.send({ id, ...request });
    }) as Promise<T>;
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exited;
  }
}

export class DnsWorld {
  readonly #base = mkdtempSync(join(tmpdir(), 'vrouter-dns-'));
  readonly folder = join(this.#base, 'dns');
  readonly resolvConf = join(this.#base, 'resolv.conf');
  readonly #spaces: { readonly [host in Host]: string };
  readonly #askers = new Map<Host, Remote>();
  readonly #others: ChildProcess[] = [];
  #gateway: Remote | null = null;

  constructor() {
    const space = (letter: string): string => `vrdns${letter}${process.pid}`;
    this.#spaces = { b: space('b'), g: space('g'), u: space('u'), router: space('r') };
    // The user that dnsmasq runs as walks through it.
    chmodSync(this.#base, 0o711);
    writeFileSync(this.resolvConf, 'nameserver 192.0.2.2\n', { mode: 0o644 });
  }

  async start(): Promise<void> {
    for (const space of Object.values(this.#spaces)) {
      ip('netns', 'add', space);
      ip('-n', space, 'link', 'set', 'lo', 'up');
    }
    this.cable('blue', 'b', '172.18.0', 'fd18');
    this.cable('green', 'g', '172.19.0', 'fd19');
    this.cable('out', 'u', '192.0.2', 'fd02');
    this.run('router', 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    await this.startGateway();
    for (const host of ['b', 'g', 'u', 'router'] as const)
      this.#askers.set(host, new Remote(this.#spaces[host], 'asker.ts'));
    await Promise.all([...this.#askers.values()].map(({ ready }) => ready));
  }

  /** From a link of the router to a host, which goes everywhere by it. */
  cable(link: string, host: Host, net4: string, net6: string): void {
    const [router, space] = [this.#spaces.router, this.#spaces[host]];
    ip('link', 'add', link, 'netns', router, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
    for (const [where, name, last] of [
      [router, link, 1],
      [space, 'eth0', 2],
    ] as const) {
      ip('-n', where, 'addr', 'add', `${net4}.${last}/24`, 'dev', name);
      ip('-n', where, 'addr', 'add', `${net6}::${last}/64`, 'dev', name, 'nodad');
      ip('-n', where, 'link', 'set', name, 'up');
    }
    ip('-n', space, 'route', 'add', 'default', 'via', `${net4}.1`);
    ip('-n', space, 'route', 'add', 'default', 'via', `${net6}::1`);
  }

  uncable(link: string): void {
    ip('-n', this.#spaces.router, 'link', 'del', link);
  }

  async startGateway(): Promise<void> {
    const level = process.env.VROUTER_TEST_LOG ?? 'silent';
    this.#gateway = new Remote(this.#spaces.router, 'gateway.ts', this.folder, this.resolvConf, level);
    await this.#gateway.ready;
  }

  /** As kill -9 does. */
  async killGateway(): Promise<void> {
    await this.#gateway?.kill();
    this.#gateway = null;
  }

  get changes(): readonly Change[] {
    return this.#gateway!.changes;
  }

  /** How long the last apply took, ms. */
  get applyMs(): number {
    return this.#gateway!.ms;
  }

  apply(...steps: readonly Step[]): Promise<readonly Applied[]> {
    return this.#gateway!.ask({ is: 'apply', steps });
  }

  /** All of them succeed, and are then true. */
  async make(...objects: readonly PlaneObject[]): Promise<void> {
    const results = await this.apply(...objects.map(create));
    for (const [i, result] of results.entries()) {
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(result.now?.object, objects[i]);
    }
  }

  async unmake(...objects: readonly PlaneObject[]): Promise<void> {
    for (const result of await this.apply(...objects.map(remove)))
      assert.deepEqual(result, { key: result.key, ok: true, now: null });
  }

  observe(keys: readonly ObjectKey[] | null = null): Promise<readonly Observed[]> {
    return this.#gateway!.ask({ is: 'observe', keys });
  }

  health(): Promise<readonly ZoneHealth[]> {
    return this.#gateway!.ask({ is: 'health' });
  }

  /** Null when nobody answered within a second. */
  ask(host: Host, server: string, name: string, type = 1): Promise<DnsAnswer | null> {
    return this.#askers.get(host)!.ask({ is: 'ask', server, name, type });
  }

  /** Asks for one of the names every millisecond. */
  async flood(host: Host, server: string, ...names: readonly string[]): Promise<() => Promise<FloodReport>> {
    const asker = this.#askers.get(host)!;
    await asker.ask({ is: 'flood', server, names });
    return () => asker.ask({ is: 'stop' });
  }

  /** What dig says: the status (null when nobody answered), and the answers. */
  dig(
    host: Host,
    server: string,
    ...words: readonly string[]
  ): { readonly status: string | null; readonly answers: readonly string[] } {
    const { output } = this.run(
      host,
      'dig',
      `@${server}`,
      '+time=1',
      '+tries=1',
      '+noall',
      '+comments',
      '+answer',
      ...words,
    );
    const answers = output.split('\n').filter((line) => /^[^;\s].*\sIN\s/.test(line));
    return {
      status: /status: ([A-Z]+)/.exec(output)?.[1] ?? null,
      answers: answers.map((line) => line.replaceAll(/\s+/g, ' ')),
    };
  }

  run(
    host: Host,
    program: string,
    ...words: readonly string[]
  ): { readonly code: number | null; readonly output: string } {
    const path = programPath(program)!;
    const { status, stdout, stderr } = spawnSync(
      programPath('ip')!,
      ['netns', 'exec', this.#spaces[host], path, ...words],
      {
        encoding: 'utf8',
        timeout: 20_000,
      },
    );
    return { code: status, output: stdout + stderr };
  }

  /** A server that others ask, with this configuration; what it was asked is in its log. */
  async upstream(host: Host, name: string, ...lines: readonly string[]): Promise<{ readonly log: string }> {
    const log = join(this.#base, `${name}.log`);
    const file = join(this.#base, `${name}.conf`);
    const all = ['no-hosts', 'no-resolv', 'pid-file', 'log-queries', 'user=root', `log-facility=${log}`, ...lines];
    writeFileSync(file, `${all.join('\n')}\n`);
    const path = programPath('dnsmasq')!;
    const words = ['netns', 'exec', this.#spaces[host], path, '-k', `--conf-file=${file}`];
    this.#others.push(spawn(programPath('ip')!, words, { stdio: 'inherit' }));
    await until(() => existsSync(log));
    return { log };
  }

  /** Somebody on the host has a TCP connection to the server, and says nothing. */
  async hold(host: Host, server: string, body: (closed: Promise<unknown>) => Promise<void>): Promise<void> {
    const script = `const s=require('node:net').connect(53,'${server}',()=>process.stdout.write('on'));s.on('error',()=>{});s.on('close',()=>process.exit())`;
    const words = ['netns', 'exec', this.#spaces[host], process.execPath, '-e', script];
    const child = spawn(programPath('ip')!, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      await body(once(child, 'exit'));
    } finally {
      child.kill('SIGKILL');
    }
  }

  /** Somebody else who listens for TCP at port 53 there. */
  rival(host: Host, server: string): { readonly there: Promise<unknown>; end(): void } {
    const script = `require('node:net').createServer().listen(53,'${server}',()=>process.stdout.write('on'))`;
    const words = ['netns', 'exec', this.#spaces[host], process.execPath, '-e', script];
    const child = spawn(programPath('ip')!, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    return { there: once(child.stdout, 'data'), end: () => void child.kill('SIGKILL') };
  }

  /** Somebody else's hand in a zone's folder; null takes the file away. */
  spoil(zone: string, file: string, text: string | null): void {
    const path = join(this.folder, zone, file);
    rmSync(path);
    if (text !== null) writeFileSync(path, text, { mode: 0o644 });
  }

  /** Processes of zones, by their command line. */
  processes(): readonly number[] {
    return readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return [];
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        return words.includes(`--conf-file=${this.folder}/`) ? [Number(name)] : [];
      } catch {
        return [];
      }
    });
  }

  async stop(): Promise<void> {
    for (const asker of this.#askers.values()) await asker.kill();
    if (this.#gateway !== null) {
      const zones = (await this.observe()).filter(({ object }) => object.kind === 'dnsZone');
      await this.apply(...zones.map(({ object }) => remove(object)));
      await this.#gateway.kill();
    }
    for (const child of this.#others) child.kill('SIGKILL');
    const left = this.processes();
    for (const pid of left) process.kill(pid, 'SIGKILL');
    for (const space of Object.values(this.#spaces)) ip('netns', 'del', space);
    rmSync(this.#base, { recursive: true });
    assert.deepEqual(left, [], 'nothing is left behind');
  }
}

const ip = (...words: readonly string[]): string =>
  execFileSync(programPath('ip')!, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

export async function until(is: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await is())) {
    assert.ok(performance.now() < deadline, 'in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
