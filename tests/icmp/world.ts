/**
 * A hub of ours and two wireguard-go clients, each in a namespace of its own. Behind its link to `b` the hub's inner MTU is smaller; the
 * outer way to `a` leads through a router with a narrower cable.
 *
 *   a (wg: 10.78.0.2, fd78::2) --- 1400 --- r --- 1500 --- h (wg0: 10.78.0.1 MTU 1420; wg1: 10.78.1.1 MTU 1300) --- 1500 --- b (10.78.1.2)
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineClient } from '@vrouter/engine/control/client.ts';
import type { Action } from '@vrouter/engine/control/messages.ts';
import { generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { programPath } from '../world/needs.ts';
import { workerOptions } from '../world/workers.ts';

const engineMain = new URL('../../programs/engine/main.ts', import.meta.url).pathname;

export type Place = 'a' | 'b' | 'r' | 'h';

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

export class IcmpWorld {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vricmp-'));
  readonly #children: ChildProcess[] = [];
  readonly #spaces: string[] = [];
  #socket: Socket | null = null;
  #engine: EngineClient | null = null;

  get engine(): EngineClient {
    return this.#engine!;
  }

  async start(): Promise<void> {
    for (const place of ['a', 'b', 'r', 'h'] as const) {
      ip('netns', 'add', this.#space(place));
      this.#spaces.push(this.#space(place));
      this.ip(place, 'link', 'set', 'lo', 'up');
    }
    this.#cable('h', 'r', '192.0.2.1', '192.0.2.2', 1500);
    this.#cable('r', 'a', '198.51.100.1', '198.51.100.2', 1400);
    this.#cable('h', 'b', '203.0.113.1', '203.0.113.2', 1500);
    this.ip('a', 'route', 'add', 'default', 'via', '198.51.100.1');
    this.ip('h', 'route', 'add', '198.51.100.0/24', 'via', '192.0.2.2');
    this.run('r', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    await this.#startEngine();
    await this.#client('a', 'wg0', 51820, '192.0.2.1', ['10.78.0.2', 'fd78::2'], 1420);
    await this.#client('b', 'wg1', 51821, '203.0.113.1', ['10.78.1.2', 'fd78:1::2'], 1300);
  }

  async do(...actions: Action[]): Promise<void> {
    assert.deepEqual(
      await this.engine.apply(actions),
      actions.map(() => null),
    );
  }

  /** Runs a program to its end. */
  run(place: Place, program: string, ...args: readonly string[]): Ran {
    const { status, stdout, stderr } = spawnSync(
      programPath('ip')!,
      ['netns', 'exec', this.#space(place), program, ...args],
      { encoding: 'utf8', timeout: 30_000, env: { ...process.env, LC_ALL: 'C' } },
    );
    return { code: status, output: `${stdout}${stderr}` };
  }

  ip(place: Place, ...args: readonly string[]): void {
    ip('-n', this.#space(place), ...args);
  }

  /** Starts a program that ends with the world. */
  spawn(place: Place, program: string, ...args: readonly string[]): ChildProcess {
    const env = { ...process.env, LOG_LEVEL: 'error', WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1' };
    const child = spawn(programPath('ip')!, ['netns', 'exec', this.#space(place), program, ...args], {
      // wireguard-go tells everybody on stderr to use the kernel's.
      stdio: ['ignore', 'pipe', program.endsWith('wireguard-go') ? 'ignore' : 'inherit'],
      env,
    });
    this.#children.push(child);
    return child;
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      const cut = setTimeout(() => child.kill('SIGKILL'), 3000);
      await once(child, 'exit');
      clearTimeout(cut);
    }
    for (const space of this.#spaces) ip('netns', 'del', space);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #space(place: Place): string {
    return `icmp${process.pid}${place}`;
  }

  #cable(one: Place, other: Place, oneAddress: string, otherAddress: string, mtu: number): void {
    const [near, far] = [`to-${other}`, `to-${one}`];
    ip(
      ...['-n', this.#space(one), 'link', 'add', near, 'mtu', String(mtu), 'type', 'veth'],
      ...['peer', 'name', far, 'mtu', String(mtu), 'netns', this.#space(other)],
    );
    this.ip(one, 'addr', 'add', `${oneAddress}/24`, 'dev', near);
    this.ip(other, 'addr', 'add', `${otherAddress}/24`, 'dev', far);
    this.ip(one, 'link', 'set', near, 'up');
    this.ip(other, 'link', 'set', far, 'up');
  }

  async #startEngine(): Promise<void> {
    const path = join(this.#folder, 'engine.sock');
    this.spawn('h', process.execPath, engineMain, '--socket', path, '--log-level', 'warn', ...workerOptions);
    await until('the engine listens', () => existsSync(path));
    const socket = connect(path);
    await once(socket, 'connect');
    this.#socket = socket;
    this.#engine = new EngineClient({
      write: (bytes) => void socket.write(bytes),
      onData: (callback) => void socket.on('data', callback),
      onClose: (callback) => void socket.on('close', callback),
      close: () => void socket.destroy(),
    });
  }

  /** A link of the hub with its only peer, and the peer. Everything of the client goes into the tunnel's networks. */
  async #client(
    place: 'a' | 'b',
    link: string,
    port: number,
    hub: string,
    addresses: readonly [string, string],
    mtu: number,
  ): Promise<void> {
    const [ours, theirs] = [generatePrivateKey(), generatePrivateKey()];
    const crypto = systemCrypto();
    const [four, six] = addresses.map((address) => address.replace(/2$/, '')) as [string, string];
    await this.do(
      { do: 'link.set', name: link, type: 'wireguard', vrf: 'default', mtu, adminUp: true },
      { do: 'wireguard.set', link, listenPort: port, privateKey: ours.toBase64() },
      { do: 'address.add', link, address: `${four}1/24` },
      { do: 'address.add', link, address: `${six}1/64` },
      { do: 'route.set', vrf: 'default', prefix: `${four}0/24`, link, nextHop: null },
      { do: 'route.set', vrf: 'default', prefix: `${six}/64`, link, nextHop: null },
      {
        do: 'peer.set',
        link,
        publicKey: crypto.publicKey(theirs).toBase64(),
        allowedIps: addresses.map((address) => `${address}/${address.includes(':') ? 128 : 32}`),
        persistentKeepalive: 0,
      },
    );
    const name = `icmp${place}${process.pid % 1_000_000}`;
    const path = `/var/run/wireguard/${name}.sock`;
    this.spawn(place, programPath('wireguard-go')!, '-f', name);
    await until('the control socket of wireguard-go', () => existsSync(path));
    await uapi(path, [
      `private_key=${theirs.toHex()}`,
      `public_key=${crypto.publicKey(ours).toHex()}`,
      `endpoint=${hub}:${port}`,
      'allowed_ip=0.0.0.0/0',
      'allowed_ip=::/0',
    ]);
    this.ip(place, 'addr', 'add', `${addresses[0]}/24`, 'dev', name);
    this.ip(place, 'addr', 'add', `${addresses[1]}/64`, 'dev', name, 'nodad');
    // The client knows nothing of the hub's smaller link.
    this.ip(place, 'link', 'set', name, 'mtu', '1420', 'up');
    this.ip(place, 'route', 'add', '10.78.0.0/16', 'dev', name);
    this.ip(place, 'route', 'add', 'fd78::/16', 'dev', name);
  }
}

export async function until(what: string, fulfilled: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await fulfilled()) return;
    await sleep(20);
  }
  assert.fail(`not within twenty seconds: ${what}`);
}

async function uapi(path: string, lines: readonly string[]): Promise<void> {
  const socket = connect(path);
  socket.end(`${['set=1', ...lines].join('\n')}\n\n`);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  assert.match(text, /errno=0/);
}

function ip(...args: readonly string[]): void {
  execFileSync(programPath('ip')!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
