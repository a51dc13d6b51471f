/** For tests of wg(8): the real one in a mount namespace of its own, and a daemon whose interface comes from its file. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { Child } from '../programs/demo/world/child.ts';
import { GatewayApi } from '../programs/demo/world/gateway-api.ts';
import { waitFor } from '../programs/demo/world/wait.ts';

const programs = fileURLToPath(new URL('../programs/', import.meta.url));
export const START_MS = 30_000;
/** Only this socket, bound into a folder that then hides the machine's. */
const ALONE = `
  mkdir -p "$1" /var/run/wireguard
  touch "$1/$2.sock"
  mount --bind "$3" "$1/$2.sock"
  mount --rbind "$1" /var/run/wireguard
  shift 3
  exec wg "$@"`;

export interface Said {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** wg(8) for one daemon's interface. */
export class Wg {
  readonly name: string;
  readonly #folder: string;
  readonly #socket: () => string;

  constructor(name: string, folder: string, socket: () => string) {
    this.name = name;
    this.#folder = folder;
    this.#socket = socket;
  }

  try(...args: readonly string[]): Said {
    const where = [join(this.#folder, 'alone'), this.name, this.#socket()];
    const done = spawnSync('unshare', ['-m', 'sh', '-ec', ALONE, 'sh', ...where, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, WG_HIDE_KEYS: 'never' },
    });
    return { status: done.status, out: done.stdout, err: done.stderr };
  }

  do(...args: readonly string[]): string {
    const said = this.try(...args);
    assert.equal(said.status, 0, `wg ${args.join(' ')}: ${said.err}`);
    return said.out;
  }

  refused(why: RegExp, ...args: readonly string[]): void {
    const said = this.try(...args);
    assert.match(said.err, why, `wg ${args.join(' ')}`);
    assert.equal(said.status, 1);
  }

  set(...args: readonly string[]): string {
    return this.do('set', this.name, ...args);
  }

  /** Peers by public key, as `wg show NAME dump` tells them. */
  peers(): Map<
    string,
    { psk: string; endpoint: string; ips: string; handshake: number; rx: number; keepalive: string }
  > {
    const lines = this.do('show', this.name, 'dump').trim().split('\n').slice(1);
    return new Map(
      lines.map((line) => {
        const [key, psk, endpoint, ips, handshake, rx, , keepalive] = line.split('\t') as string[];
        return [
          key!,
          {
            psk: psk!,
            endpoint: endpoint!,
            ips: ips!,
            handshake: Number(handshake),
            rx: Number(rx),
            keepalive: keepalive!,
          },
        ];
      }),
    );
  }

  file(text: string): string {
    const path = join(this.#folder, 'wg.conf');
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }
}

/** All that a socket answers to what is said in small pieces; the client ends first, as a pipe does. */
export async function talk(path: string, said: string): Promise<string> {
  const socket = connect({ path, allowHalfOpen: true });
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  for (let at = 0; at < said.length; at += 50) {
    socket.write(said.slice(at, at + 50));
    await delay(1);
  }
  socket.end();
  await once(socket, 'close');
  return text;
}

export function vrouterctl(socket: string, ...args: readonly string[]): string {
  const done = spawnSync(process.execPath, [join(programs, 'cli/main.ts'), '--socket', socket, ...args], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
}

export function socketOf(gateway: GatewayApi, name: string): string {
  const shown = JSON.parse(vrouterctl(gateway.socketPath, '--json', 'show', 'interfaces')) as {
    interfaces: { name: string; wgSocket: string | null }[];
  };
  const path = shown.interfaces.find((row) => row.name === name)?.wgSocket;
  assert.ok(typeof path === 'string', `no socket for ${name}`);
  return path;
}

export const named = (await newKeyPair()).publicKey;
export const [one, two, three] = [
  (await newKeyPair()).publicKey,
  (await newKeyPair()).publicKey,
  (await newKeyPair()).publicKey,
];
export const { privateKey: another } = await newKeyPair();

/** A daemon whose interface comes from its configuration file, with a peer of the file's own. */
export class Daemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'vr-wg-'));
  readonly name = `uapi${process.pid % 100_000}`;
  readonly gateway = new GatewayApi(join(this.folder, 'data', 'vrouterd.sock'));
  readonly wg = new Wg(this.name, this.folder, () => this.path);
  /** Of its socket for wg. */
  path = `/var/run/wireguard/${this.name}.sock`;
  #child: Child | null = null;

  get child(): Child {
    return this.#child!;
  }

  readonly intents = [
    { kind: 'gatewayInterface', name: this.name, type: 'wireguard', listenPort: 0 },
    { kind: 'address', interface: this.name, address: '10.99.0.1/24' },
    { kind: 'peer', interface: this.name, publicKey: named, name: 'filed', allowedIps: ['10.99.0.9/32'] },
  ];

  /** The configuration file, and its path. */
  write(intents: readonly unknown[]): string {
    const config = join(this.folder, 'vrouterd.yaml');
    writeFileSync(config, JSON.stringify({ plane: 'userspace', data: join(this.folder, 'data'), intents }));
    return config;
  }

  async start(): Promise<void> {
    const config = this.write(this.intents);
    const args = [join(programs, 'vrouterd/main.ts'), '--config', config];
    const child = new Child({ name: 'vrouterd', command: process.execPath, args, logPath: join(this.folder, 'log') });
    this.#child = child;
    await waitFor('the socket of wg', START_MS, async () => {
      if (child.hasEnded) throw child.failure('ended');
      return this.wg.try('show', this.name).out.includes(named) ? true : null;
    });
  }

  async stop(): Promise<void> {
    await this.gateway.stopEngine().catch(() => {});
    await this.#child?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function daemon(t: TestContext): Promise<Daemon> {
  const made = new Daemon();
  t.after(() => made.stop());
  await made.start();
  return made;
}
