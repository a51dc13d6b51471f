/**
 * A gateway that is reachable itself: intents become a TUN link of a real engine, and the kernel on its other side talks to a WireGuard
 * peer (wireguard-go, in a namespace of its own) and the peer to it.
 *
 *     namespace vrtunh<pid>                                                namespace vrtunp<pid>
 *     kernel 10.99.0.1 fd99::1 -- host0 [engine, 10.77.0.1] wg0 ~~ veth ~~ wireguard-go 10.77.0.2 fd77::2
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Secret } from '@vrouter/core/secret.ts';
import { UserspaceDriver } from '@vrouter/drivers/userspace/driver.ts';
import { engineKinds } from '@vrouter/drivers/userspace/served.ts';
import { EngineClient } from '@vrouter/engine/control/client.ts';
import { fingerprint, generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { diffAll } from '@vrouter/intent/diff/diff.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import type { IntentKey } from '@vrouter/intent/model/intents.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { needs, programPath } from './world/needs.ts';
import { workerOptions } from './world/workers.ts';

const daemonMain = new URL('../programs/vrouterd/main.ts', import.meta.url).pathname;
const cliMain = new URL('../programs/cli/main.ts', import.meta.url).pathname;
const engineMain = new URL('../programs/engine/main.ts', import.meta.url).pathname;
const PORT = 51_820;
/** Bytes of a transfer, and a line of it. */
const TRANSFER = 8 << 20;
const signal = new AbortController().signal;

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(programPath(program)!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
const ip = (...args: readonly string[]): string => run('ip', ...args);

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    assert.ok(waited < 15_000, what);
    await sleep(20);
  }
}

async function end(child: ChildProcess, how: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(how);
  await once(child, 'exit');
}

/** An engine as a process, and a gateway's way from intents to its tables. */
class Gateway {
  readonly folder = mkdtempSync(join(tmpdir(), 'vr-tun-'));
  readonly privateKey = generatePrivateKey();
  readonly desired: Desired;
  readonly driver: UserspaceDriver;
  #engine: ChildProcess | null = null;

  constructor() {
    const secretOf = (bytes: Uint8Array): Secret => new Secret(bytes, fingerprint(bytes));
    const outside = {
      tableId: () => 1001,
      privateKey: () => secretOf(this.privateKey.slice()),
      secret: (base64: string) => secretOf(Uint8Array.fromBase64(base64)),
    };
    this.desired = new Desired(outside, engineKinds);
    this.driver = new UserspaceDriver(() => this.#dial());
  }

  /** In a namespace as root, or in ours as another user. */
  async start(namespace: string | null): Promise<void> {
    const argv = [process.execPath, engineMain, '--socket', this.#path, '--log-level', 'warn', ...workerOptions];
    const options = { stdio: ['ignore', 'inherit', 'inherit'] as ('ignore' | 'inherit')[] };
    if (namespace === null) {
      chownSync(this.folder, 65_534, 65_534);
      this.#engine = spawn(argv[0]!, argv.slice(1), { ...options, uid: 65_534, gid: 65_534 });
    } else this.#engine = spawn(programPath('ip')!, ['netns', 'exec', namespace, ...argv], options);
    await until('the engine listens', () => existsSync(this.#path));
  }

  say(intent: object): void {
    const parsed = parseIntent(intent);
    assert.ok(parsed.ok, JSON.stringify(parsed));
    this.desired.put('file', parsed.value);
  }

  /** One look at everything and one batch; the problems of the steps that failed, by key. */
  async reconcile(): Promise<{ readonly [key: string]: string }> {
    this.desired.takeDirty();
    const { builtIn } = this.driver.capabilities();
    const wanted = [...this.desired.all()];
    const steps = plan(diffAll(wanted, await this.driver.observe('all', signal), builtIn));
    const failed = (await this.driver.apply(steps, signal)).flatMap((one) =>
      one.ok ? [] : [[one.key, one.error.code] as const],
    );
    if (failed.length === 0)
      assert.deepEqual(diffAll(wanted, await this.driver.observe('all', signal), builtIn), [], 'nothing is left to do');
    return Object.fromEntries(failed);
  }

  /** `kill -9`, and the socket file that it leaves; the driver asks for a new connection. */
  async kill(): Promise<void> {
    await end(this.#engine!, 'SIGKILL');
    await this.driver.close();
    rmSync(this.#path);
  }

  async stop(): Promise<void> {
    await this.driver.close();
    if (this.#engine !== null) await end(this.#engine, 'SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #path(): string {
    return join(this.folder, 'engine.sock');
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

/** The two namespaces with a cable between them, and wireguard-go in the peer's. */
class World {
  readonly host = `vrtunh${process.pid}`;
  readonly peer = `vrtunp${process.pid}`;
  readonly peerKey = generatePrivateKey();
  readonly #wg = `vrtun${process.pid}`;
  #wireguard: ChildProcess | null = null;

  async start(gatewayKey: Uint8Array): Promise<void> {
    for (const name of [this.host, this.peer]) {
      ip('netns', 'add', name);
      ip('-n', name, 'link', 'set', 'lo', 'up');
    }
    ip('link', 'add', 'v0', 'netns', this.host, 'type', 'veth', 'peer', 'name', 'v0', 'netns', this.peer);
    for (const [name, address] of [
      [this.host, '192.0.2.1/24'],
      [this.peer, '192.0.2.2/24'],
    ] as const) {
      ip('-n', name, 'addr', 'add', address, 'dev', 'v0');
      ip('-n', name, 'link', 'set', 'v0', 'up');
    }
    const env = { ...process.env, LOG_LEVEL: 'error', WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1' };
    const argv = ['netns', 'exec', this.peer, programPath('wireguard-go')!, '-f', this.#wg];
    this.#wireguard = spawn(programPath('ip')!, argv, { stdio: 'ignore', env });
    const control = `/var/run/wireguard/${this.#wg}.sock`;
    await until('the control socket of wireguard-go', () => existsSync(control));
    const socket = connect(control);
    const lines = [
      `private_key=${this.peerKey.toHex()}`,
      `public_key=${systemCrypto().publicKey(gatewayKey).toHex()}`,
      `endpoint=192.0.2.1:${PORT}`,
      ...['10.77.0.0/24', '10.99.0.0/24', 'fd77::/64', 'fd99::/64'].map((prefix) => `allowed_ip=${prefix}`),
    ];
    socket.end(`set=1\n${lines.join('\n')}\n\n`);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    assert.match(answer, /^errno=0$/m);
    for (const address of ['10.77.0.2/24', 'fd77::2/64'])
      ip('-n', this.peer, 'addr', 'add', address, 'dev', this.#wg, ...(address.includes(':') ? ['nodad'] : []));
    ip('-n', this.peer, 'link', 'set', this.#wg, 'mtu', '1420', 'up');
    for (const prefix of ['10.99.0.0/24', 'fd99::/64']) ip('-n', this.peer, 'route', 'add', prefix, 'dev', this.#wg);
  }

  ping(from: string, to: string, ...more: readonly string[]): void {
    ip('netns', 'exec', from, programPath('ping')!, '-c', '3', '-i', '0.2', '-w', '10', ...more, to);
  }

  /** A program in one namespace sends bytes over TCP to one in the other; returns megabytes a second. */
  async transfer(from: string, to: string, address: string): Promise<number> {
    const line = `Buffer.from(Array.from({length: 65536}, (_, i) => (i * 7 + (i >> 8)) & 255))`;
    const receiver = `
      const hash = require('node:crypto').createHash('sha256');
      require('node:net').createServer((socket) => {
        socket.on('data', (bytes) => hash.update(bytes));
        socket.on('end', () => { console.log(hash.digest('hex')); process.exit(0); });
      }).listen(4243, ${JSON.stringify(address)}, () => console.log('ready'));
      setTimeout(() => process.exit(3), 40000);`;
    const sender = `
      const line = ${line};
      const hash = require('node:crypto').createHash('sha256');
      const socket = require('node:net').connect(4243, ${JSON.stringify(address)}, async () => {
        for (let sent = 0; sent < ${TRANSFER}; sent += line.length) {
          hash.update(line);
          if (!socket.write(line)) await new Promise((resolve) => socket.once('drain', resolve));
        }
        socket.end(() => { console.log(hash.digest('hex')); });
      });
      setTimeout(() => process.exit(3), 40000).unref();`;
    const start = (namespace: string, program: string): ChildProcess =>
      spawn(programPath('ip')!, ['netns', 'exec', namespace, process.execPath, '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    const told = { receiver: '', sender: '' };
    const receiving = start(to, receiver);
    const received = once(receiving, 'close');
    receiving.stdout!.on('data', (chunk: Buffer) => {
      told.receiver += String(chunk);
    });
    await until('the receiver listens', () => told.receiver.startsWith('ready\n'));
    const begun = performance.now();
    const sending = start(from, sender);
    sending.stdout!.on('data', (chunk: Buffer) => {
      told.sender += String(chunk);
    });
    await Promise.all([once(sending, 'close'), received]);
    assert.match(told.sender, /^[0-9a-f]{64}\n$/);
    assert.equal(told.receiver, `ready\n${told.sender}`, 'every byte came as it was sent');
    return TRANSFER / 1e3 / (performance.now() - begun);
  }

  async stop(): Promise<void> {
    if (this.#wireguard !== null) await end(this.#wireguard, 'SIGTERM');
    for (const name of [this.host, this.peer])
      try {
        ip('netns', 'del', name);
      } catch {
        // It was never made.
      }
  }
}

const hostInterface = {
  kind: 'hostInterface',
  name: 'host0',
  addresses: ['10.99.0.1/24', 'fd99::1/64'],
  routes: ['10.77.0.0/24', 'fd77::/64'],
};

function sayGateway(gateway: Gateway, peerKey: Uint8Array): void {
  gateway.say({ kind: 'gatewayInterface', name: 'wg0', listenPort: PORT });
  for (const address of ['10.77.0.1/24', 'fd77::1/64']) gateway.say({ kind: 'address', interface: 'wg0', address });
  const publicKey = systemCrypto().publicKey(peerKey).toBase64();
  gateway.say({ kind: 'peer', interface: 'wg0', publicKey, allowedIps: ['10.77.0.2/32', 'fd77::2/128'] });
}

test('the host and a WireGuard peer reach each other through a TUN link', {
  skip: needs('root', 'netns', 'tun', 'ip', 'ping', 'wireguard-go'),
  timeout: 180_000,
}, async (t) => {
  const world = new World();
  const gateway = new Gateway();
  const { host, peer } = world;
  try {
    await world.start(gateway.privateKey);
    await gateway.start(host);
    sayGateway(gateway, world.peerKey);
    gateway.say(hostInterface);
    assert.deepEqual(await gateway.reconcile(), {});

    // The peer speaks first: only it knows where the other is.
    world.ping(peer, '10.77.0.1');
    world.ping(peer, '10.99.0.1');
    world.ping(peer, 'fd99::1');
    world.ping(host, '10.77.0.2');
    world.ping(host, 'fd77::2');
    world.ping(host, '10.77.0.1');
    world.ping(host, 'fd77::1');
    // As long as the link lets it be, not to be fragmented.
    world.ping(host, '10.77.0.2', '-M', 'do', '-s', String(1420 - 28));
    world.ping(peer, 'fd99::1', '-M', 'do', '-s', String(1420 - 48));

    for (const [from, to, address] of [
      [host, peer, '10.77.0.2'],
      [peer, host, '10.99.0.1'],
      [host, peer, 'fd77::2'],
      [peer, host, 'fd99::1'],
    ] as const)
      t.diagnostic(`TCP to ${address}: ${(await world.transfer(from, to, address)).toFixed(1)} MB/s`);

    const routes = (): string => ip('-n', host, 'route', 'show', 'proto', '118');
    const addresses = (): string => ip('-n', host, '-br', 'addr', 'show', 'dev', 'host0');
    assert.match(routes(), /10\.77\.0\.0\/24 dev host0/);

    // Changed in place: the device stays, what is gone from the intent is gone from the kernel.
    gateway.say({ ...hostInterface, mtu: 1300, addresses: ['10.99.0.1/24', '10.99.1.1/24'], routes: ['10.78.0.0/24'] });
    const index = ip('-n', host, '-o', 'link', 'show', 'dev', 'host0').split(':')[0];
    assert.deepEqual(await gateway.reconcile(), {});
    assert.equal(ip('-n', host, '-o', 'link', 'show', 'dev', 'host0').split(':')[0], index);
    assert.match(ip('-n', host, 'link', 'show', 'dev', 'host0'), /mtu 1300/);
    assert.match(routes(), /^10\.78\.0\.0\/24 dev host0[^\n]*\n$/);
    assert.match(addresses(), /10\.99\.0\.1\/24 10\.99\.1\.1\/24/);
    assert.doesNotMatch(addresses(), /fd99::1/);

    // A network that the host reaches another way is not taken from it; the link is as before.
    ip('-n', host, 'route', 'add', '198.51.100.0/24', 'dev', 'v0');
    gateway.say({ ...hostInterface, routes: ['10.77.0.0/24', '198.51.100.0/24'] });
    assert.deepEqual(await gateway.reconcile(), { 'link/host0': 'object.exists' });
    assert.match(routes(), /^10\.78\.0\.0\/24 dev host0[^\n]*\n$/);
    assert.match(ip('-n', host, 'link', 'show', 'dev', 'host0'), /mtu 1300/);
    ip('-n', host, 'route', 'del', '198.51.100.0/24');
    assert.deepEqual(await gateway.reconcile(), {});

    // Deleted by somebody, it shows as a difference like any other.
    ip('-n', host, 'link', 'del', 'host0');
    await sleep(100);
    assert.deepEqual(await gateway.reconcile(), {});
    assert.match(routes(), /10\.77\.0\.0\/24 dev host0/);
    world.ping(peer, '10.99.0.1');

    // A killed engine leaves nothing behind; the next one makes it all again.
    await gateway.kill();
    assert.doesNotMatch(ip('-n', host, 'link'), /host0/);
    await gateway.start(host);
    gateway.say(hostInterface);
    assert.deepEqual(await gateway.reconcile(), {});
    // The peer holds a session with the dead and tries a new one after 15 s (KEEPALIVE_TIMEOUT + REKEY_TIMEOUT).
    world.ping(peer, '10.99.0.1', '-w', '40');
    world.ping(host, 'fd77::2');

    gateway.desired.remove('file', 'hostInterface/host0' as IntentKey);
    assert.deepEqual(await gateway.reconcile(), {});
    assert.doesNotMatch(ip('-n', host, 'link'), /host0/);
    assert.equal(routes(), '');
    world.ping(peer, '10.77.0.1');
  } finally {
    await gateway.stop();
    await world.stop();
  }
});

test('without privileges the host interface fails with a clear code, and everything else works', {
  skip: needs('root', 'tun'),
  timeout: 60_000,
}, async () => {
  const gateway = new Gateway();
  try {
    await gateway.start(null);
    gateway.say({ kind: 'gatewayInterface', name: 'wg0', listenPort: 0 });
    gateway.say({ kind: 'address', interface: 'wg0', address: '10.77.0.1/24' });
    gateway.say({ ...hostInterface, name: 'vrdenied0' });
    assert.deepEqual(await gateway.reconcile(), {
      'link/vrdenied0': 'port.denied',
      'route/default/10.99.0.1/32': 'object.dependency',
      'route/default/fd99::1/128': 'object.dependency',
    });
    const there = (await gateway.driver.observe('all', signal)).map(({ key }) => key);
    assert.ok(there.includes('wireguardDevice/wg0' as (typeof there)[number]), there.join(' '));
  } finally {
    await gateway.stop();
  }
});

const daemons: readonly (readonly [
  title: string,
  needed: readonly string[],
  made: boolean,
  prefix: readonly string[],
])[] = [
  ['as root', ['root', 'netns', 'tun'], true, ['unshare', '-n']],
  ['in a user namespace', ['userns', 'tun'], true, ['unshare', '-Urn']],
  [
    'or says why not',
    ['root', 'tun', 'setpriv'],
    false,
    ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
  ],
];
for (const [title, needed, made, prefix] of daemons)
  test(`vrouterd makes the host interface of its configuration file, ${title}`, {
    skip: needs(...needed),
    timeout: 60_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vr-tun-'));
    const config = join(folder, 'vrouterd.yaml');
    const socket = join(folder, 'data', 'vrouterd.sock');
    writeFileSync(config, JSON.stringify({ plane: 'userspace', data: join(folder, 'data'), intents: [hostInterface] }));
    if (!made) chownSync(folder, 65_534, 65_534);
    const cli = (...args: readonly string[]): string =>
      execFileSync(process.execPath, [cliMain, ...args, '--socket', socket], { encoding: 'utf8' });
    const argv = [...prefix.slice(1), process.execPath, daemonMain, '--config', config, '--log-level', 'fatal'];
    const daemon = spawn(programPath(prefix[0]!)!, argv, { stdio: ['ignore', 'inherit', 'inherit'] });
    try {
      await until('vrouterd answers', () => existsSync(socket));
      const [view, expected] = made ? ['interfaces', '"state":"up"'] : ['stats', '"code":"port.denied"'];
      let said = '';
      await until(`show ${view} says ${expected}`, () => {
        said = cli('--json', 'show', view!).replaceAll(/\s/g, '');
        return said.includes(expected!);
      });
      assert.match(said, made ? /"name":"host0","type":"tun".*"10\.99\.0\.1\/24"/ : /"key":"link\/host0"/);
    } finally {
      // The engine outlives its daemon, so it is stopped first.
      if (existsSync(socket)) cli('engine', 'stop');
      await end(daemon, 'SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    }
  });
