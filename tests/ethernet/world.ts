/**
 * A gateway with two ports and a WireGuard peer, each with real kernels on the other side:
 *
 *     host A -- eth1 [engine] eth2 -- host B        peer -- eth0 (the kernel's) ~ WireGuard ~ [engine]
 *     192.168.1.10, fd88::10           192.168.2.10, fd89::10                10.77.0.2, fd77::2
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { programPath } from '../world/needs.ts';
import { end, Gateway, until } from './gateway.ts';

export const PORT = 51_820;

export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(programPath(program)!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
export const ip = (...args: readonly string[]): string => run('ip', ...args);

/** Frames that a host has got. */
export interface Capture {
  /** How many they are, and those that tshark finds fault with. */
  end(): Promise<{ readonly total: number; readonly wrong: readonly string[] }>;
}

export class World {
  readonly gateway = new Gateway();
  readonly router: string;
  readonly a: string;
  readonly b: string;
  readonly peer: string;
  readonly peerKey = generatePrivateKey();
  readonly #wg = `vreth${process.pid}`;
  #wireguard: ChildProcess | null = null;

  /** `mark` tells the namespaces of two worlds of one process apart. */
  constructor(mark = '') {
    const [router, a, b, peer] = ['r', 'a', 'b', 'p'].map((letter) => `vreth${letter}${mark}${process.pid}`);
    this.router = router!;
    this.a = a!;
    this.b = b!;
    this.peer = peer!;
  }

  /** The namespaces, the cables, the hosts' addresses, and the engine. */
  async start(): Promise<void> {
    for (const name of [this.router, this.a, this.b]) {
      ip('netns', 'add', name);
      this.sysctl(name, 'net.ipv6.conf.default.accept_dad=0');
      ip('-n', name, 'link', 'set', 'lo', 'up');
    }
    // The kernel of the gateway is not to speak on the ports.
    this.sysctl(this.router, 'net.ipv6.conf.default.disable_ipv6=1');
    this.cable('eth1', this.a, '192.168.1', 'fd88');
    this.cable('eth2', this.b, '192.168.2', 'fd89');
    await this.gateway.start(this.router);
  }

  /** From an interface of the gateway's to a host, which has addresses and routes by the gateway. */
  cable(device: string, host: string, net4: string, net6: string): void {
    ip('link', 'add', device, 'netns', this.router, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
    ip('-n', this.router, 'link', 'set', device, 'up');
    ip('-n', host, 'addr', 'add', `${net4}.10/24`, 'dev', 'eth0');
    ip('-n', host, 'link', 'set', 'eth0', 'up');
    this.address6(host, net4, net6);
  }

  /** What a host loses when its interface goes down. */
  address6(host: string, net4: string, net6: string): void {
    ip('-n', host, 'addr', 'add', `${net6}::10/64`, 'dev', 'eth0', 'nodad');
    ip('-n', host, 'route', 'add', 'default', 'via', `${net4}.1`);
    ip('-n', host, 'route', 'add', 'default', 'via', `${net6}::1`);
  }

  /** wireguard-go as the peer, over a cable of its own. */
  async startPeer(): Promise<void> {
    ip('netns', 'add', this.peer);
    ip('link', 'add', 'eth0', 'netns', this.router, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.peer);
    for (const [name, address] of [
      [this.router, '192.0.2.1/24'],
      [this.peer, '192.0.2.2/24'],
    ] as const) {
      ip('-n', name, 'addr', 'add', address, 'dev', 'eth0');
      ip('-n', name, 'link', 'set', 'eth0', 'up');
    }
    const env = { ...process.env, LOG_LEVEL: 'error', WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1' };
    const argv = ['netns', 'exec', this.peer, programPath('wireguard-go')!, '-f', this.#wg];
    this.#wireguard = spawn(programPath('ip')!, argv, { stdio: 'ignore', env });
    const control = `/var/run/wireguard/${this.#wg}.sock`;
    await until('the control socket of wireguard-go', () => existsSync(control));
    const socket = connect(control);
    const lines = [
      `private_key=${this.peerKey.toHex()}`,
      `public_key=${this.gateway.publicKey.toHex()}`,
      `endpoint=192.0.2.1:${PORT}`,
      'allowed_ip=0.0.0.0/0',
      'allowed_ip=::/0',
    ];
    socket.end(`set=1\n${lines.join('\n')}\n\n`);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    assert.match(answer, /^errno=0$/m);
    ip('-n', this.peer, 'addr', 'add', '10.77.0.2/24', 'dev', this.#wg);
    ip('-n', this.peer, 'addr', 'add', 'fd77::2/64', 'dev', this.#wg, 'nodad');
    ip('-n', this.peer, 'link', 'set', this.#wg, 'mtu', '1420', 'up');
    for (const prefix of ['192.168.0.0/16', 'fd88::/16', 'fd89::/16'])
      ip('-n', this.peer, 'route', 'add', prefix, 'dev', this.#wg);
  }

  /** The gateway's file: two ports, and with `peer` the WireGuard side. */
  intents(peer: boolean): object[] {
    const ports = [
      { kind: 'port', name: 'lan', device: 'eth1' },
      { kind: 'address', interface: 'lan', address: '192.168.1.1/24' },
      { kind: 'address', interface: 'lan', address: 'fd88::1/64' },
      { kind: 'port', name: 'wan', device: 'eth2' },
      { kind: 'address', interface: 'wan', address: '192.168.2.1/24' },
      { kind: 'address', interface: 'wan', address: 'fd89::1/64' },
    ];
    if (!peer) return ports;
    const publicKey = systemCrypto().publicKey(this.peerKey).toBase64();
    return [
      ...ports,
      { kind: 'gatewayInterface', name: 'wg0', type: 'wireguard', listenPort: PORT },
      { kind: 'address', interface: 'wg0', address: '10.77.0.1/24' },
      { kind: 'address', interface: 'wg0', address: 'fd77::1/64' },
      { kind: 'peer', interface: 'wg0', publicKey, allowedIps: ['10.77.0.2/32', 'fd77::2/128'] },
    ];
  }

  sysctl(namespace: string, ...settings: readonly string[]): void {
    this.in(namespace, 'sysctl', '-qw', ...settings);
  }

  /** A program in a namespace that must succeed; what it says. */
  in(namespace: string, program: string, ...args: readonly string[]): string {
    return ip('netns', 'exec', namespace, programPath(program)!, ...args);
  }

  /** A program in a namespace, whatever its end: what it says, on both ways out. */
  tried(
    namespace: string,
    program: string,
    ...args: readonly string[]
  ): { readonly status: number; readonly said: string } {
    const done = spawnSync(programPath('ip')!, ['netns', 'exec', namespace, programPath(program)!, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status: done.status ?? -1, said: done.stdout + done.stderr };
  }

  ping(from: string, to: string, ...more: readonly string[]): void {
    this.in(from, 'ping', '-c', '3', '-i', '0.2', '-w', '10', ...more, to);
  }

  macOf(namespace: string, device: string): string {
    return /link\/ether (\S+)/.exec(ip('-n', namespace, 'link', 'show', 'dev', device))![1]!;
  }

  /** Bytes a second over TCP, by iperf3. */
  async iperf(client: string, server: string, address: string, ...more: readonly string[]): Promise<number> {
    const iperf = programPath('iperf3')!;
    const listener = spawn(
      programPath('ip')!,
      ['netns', 'exec', server, iperf, '-s', '-1', '--forceflush', '-B', address],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await once(listener.stdout!, 'data');
    const done = this.in(client, 'iperf3', '-c', address, '-t', '2', '-J', ...more);
    await once(listener, 'exit');
    const told = JSON.parse(done) as { end: { sum_received: { bits_per_second: number } } };
    return told.end.sum_received.bits_per_second / 8;
  }

  /** Writes down what an interface gets from now on; `end` has tshark read it. */
  async capture(namespace: string, device: string): Promise<Capture> {
    const folder = mkdtempSync(join(tmpdir(), 'vr-ether-pcap-'));
    const file = join(folder, 'in.pcap');
    const argv = ['netns', 'exec', namespace, programPath('tcpdump')!, '-i', device, '-Q', 'in', '-U', '-w', file];
    const dump = spawn(programPath('ip')!, [...argv, '--immediate-mode', '-Z', 'root'], { stdio: 'ignore' });
    await until('tcpdump listens', () => existsSync(file));
    return {
      async end() {
        await end(dump, 'SIGINT');
        const options = ['ip', 'udp', 'tcp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
        const sums = ['ip', 'icmp', 'icmpv6', 'udp', 'tcp'].map((name) => `${name}.checksum.status == 0`);
        const wrong = ['_ws.malformed', 'arp.duplicate-address-detected', ...sums].join(' || ');
        const read = (...args: readonly string[]): string[] =>
          execFileSync(programPath('tshark')!, ['-r', file, '-n', ...options, ...args], {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'ignore'],
          })
            .split('\n')
            .filter((line) => line !== '');
        const found = { total: read().length, wrong: read('-Y', wrong) };
        rmSync(folder, { recursive: true });
        return found;
      },
    };
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    if (this.#wireguard !== null) await end(this.#wireguard, 'SIGTERM');
    for (const name of [this.router, this.a, this.b, this.peer])
      spawnSync(programPath('ip')!, ['netns', 'del', name], { stdio: 'ignore' });
  }
}
