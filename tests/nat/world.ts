/**
 * NAT with real hosts: two wireguard-go peers behind a gateway of real programs (vrouterd with a file, and its engine), a way out, a
 * router that lets no more than 1300 bytes pass to the server, and the server, which knows nothing of that.
 *
 *   a 10.99.0.2 --.
 *                  wg0 [ g: vrouterd, engine ] <the way out> --- r ---> 1300 --- s 203.0.113.5
 *   b 10.99.0.3 --'    10.99.0.1      192.0.2.2          192.0.2.6  203.0.113.1
 *
 * The way out is a parameter: what makes the gateway 192.0.2.2, and leads from there to r, which reaches 192.0.2.0/30, 198.51.100.0/24
 * and the peers themselves by 192.0.2.5.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { dial, inside, ip, Lab, PORT, until, type WireguardGo } from '../wireguard-go/lab.ts';
import { Daemon } from '../wireguard-go/vrouterd.ts';
import { programPath } from '../world/needs.ts';

export const OUTSIDE = '192.0.2.2';
export const SERVER = '203.0.113.5';
export const A = '10.99.0.2';
export const B = '10.99.0.3';
/** Goes to the gateway too, and is nobody's until somebody says so. */
export const FLOATING = '198.51.100.9';
export const GATEWAY = '10.99.0.1';
/** Where servers listen, and what of a's is published. */
export const SERVER_PORT = 8000;
export const PUBLISHED_PORT = 8080;

export type Place = 'a' | 'b' | 'g' | 'r' | 's';

/** How packets get from the gateway's VRF `default` to the router. */
export interface WayOut {
  readonly name: string;
  /** The interface that is masqueraded on. */
  readonly link: string;
  /** Bytes of its largest packet. */
  readonly mtu: number;
  /** What makes the link and gives the gateway OUTSIDE. */
  readonly intents: readonly object[];
  /** The router behind the link that the default route names; null where the link itself is the way. */
  readonly nextHop: string | null;
  /** What a traceroute meets between the gateway and the router. */
  readonly hops: readonly string[];
  /** The gateway's side of the cable to the router. */
  prepare(world: NatWorld): void;
}

/** Through a TUN link into the gateway's own kernel, which forwards. */
export const throughTheHost: WayOut = {
  name: 'a TUN link and the kernel of the gateway',
  link: 'host0',
  mtu: 1380,
  intents: [
    {
      kind: 'hostInterface',
      name: 'host0',
      mtu: 1380,
      addresses: ['192.0.2.1/30'],
      routes: ['198.51.100.0/24', '10.99.0.0/16'],
    },
    { kind: 'address', interface: 'host0', address: `${OUTSIDE}/30` },
  ],
  nextHop: null,
  hops: ['192.0.2.1'],
  prepare(world) {
    world.ip('g', 'addr', 'add', '192.0.2.5/30', 'dev', 'to-r');
    world.ip('g', 'route', 'add', 'default', 'via', '192.0.2.6');
    world.forward('g');
  },
};

/** Straight into the cable, past the gateway's own kernel. The router asks for 192.0.2.5, whose network it is on, and finds 192.0.2.2 there. */
export const throughAPort: WayOut = {
  name: 'a port into an Ethernet',
  link: 'wan',
  mtu: 1380,
  intents: [
    { kind: 'port', name: 'wan', device: 'to-r', mtu: 1380 },
    { kind: 'address', interface: 'wan', address: `${OUTSIDE}/32` },
    { kind: 'address', interface: 'wan', address: '192.0.2.5/30' },
  ],
  nextHop: '192.0.2.6',
  hops: [],
  prepare(world) {
    world.run('g', 'sysctl', '-qw', 'net.ipv6.conf.to-r.disable_ipv6=1');
  },
};

export interface Ran {
  readonly code: number | null;
  /** Standard output, and both. */
  readonly stdout: string;
  readonly output: string;
}

export class NatWorld {
  #lab: Lab | null = null;
  readonly #way: WayOut;
  readonly #insideVrf: string;
  readonly #children: ChildProcess[] = [];
  readonly #spaces = new Map<Place, string>();
  readonly #more: { readonly kind: string }[] = [];
  #peers: WireguardGo[] = [];
  #daemon: Daemon | null = null;

  /** `insideVrf`: where the peers are, `default` or one of its own, which the default route leaves. */
  constructor(way: WayOut, insideVrf: string) {
    this.#way = way;
    this.#insideVrf = insideVrf;
  }

  get daemon(): Daemon {
    return this.#daemon!;
  }

  async start(): Promise<void> {
    const lab = new Lab();
    this.#lab = lab;
    const spokes = [lab.spoke(), lab.spoke()];
    this.#spaces.set('g', lab.hub).set('a', spokes[0]!.namespace).set('b', spokes[1]!.namespace);
    for (const place of ['r', 's'] as const) this.#spaces.set(place, lab.island(place));
    this.#cable('g', 'r');
    this.#cable('r', 's');
    this.ip('r', 'addr', 'add', '192.0.2.6/30', 'dev', 'to-g');
    this.ip('r', 'addr', 'add', '203.0.113.1/24', 'dev', 'to-s');
    this.ip('r', 'route', 'add', `${SERVER}/32`, 'dev', 'to-s', 'mtu', 'lock', '1300');
    for (const prefix of ['192.0.2.0/30', '198.51.100.0/24', '10.99.0.0/16'])
      this.ip('r', 'route', 'add', prefix, 'via', '192.0.2.5');
    this.forward('r');
    this.ip('s', 'addr', 'add', `${SERVER}/24`, 'dev', 'to-r');
    this.ip('s', 'route', 'add', 'default', 'via', '203.0.113.1');
    this.#way.prepare(this);

    for (const { namespace } of spokes) this.#peers.push(await lab.wireguardGo(namespace, { verbose: false }));
    this.#daemon = new Daemon(lab, this.#intents());
    this.daemon.start();
    const { client, publicKey } = await this.daemon.engine();
    client.close();
    for (const [i, peer] of this.#peers.entries()) {
      peer.address(2 + i);
      await peer.set(
        `public_key=${publicKey.toHex()}`,
        `endpoint=192.168.${spokes[i]!.number}.1:${PORT}`,
        'persistent_keepalive_interval=1',
        'allowed_ip=0.0.0.0/0',
      );
      const place = i === 0 ? 'a' : 'b';
      for (const prefix of ['192.0.2.0/29', '198.51.100.0/24', '203.0.113.0/24'])
        this.ip(place, 'route', 'add', prefix, 'dev', peer.name);
    }
    for (const place of ['a', 'b'] as const)
      await until(
        `${place} to reach the gateway`,
        () => this.run(place, 'ping', '-c', '1', '-W', '1', GATEWAY).code === 0,
      );
    for (const place of ['a', 's'] as const) await this.serve(place);
  }

  /** One more intent, or another in the place of one of its kind; done when `is` says so. */
  async say(intent: { readonly kind: string }, is: () => Promise<boolean>): Promise<void> {
    const known = this.#more.findIndex(({ kind }) => kind === intent.kind);
    if (known < 0) this.#more.push(intent);
    else this.#more[known] = intent;
    this.daemon.write(this.#intents());
    this.daemon.reload();
    await until(`${intent.kind} to be taken over`, is);
  }

  /** Takes what was said of a kind back. */
  async unsay(kind: string, is: () => Promise<boolean>): Promise<void> {
    const known = this.#more.findIndex((one) => one.kind === kind);
    this.#more.splice(known, 1);
    this.daemon.write(this.#intents());
    this.daemon.reload();
    await until(`${kind} to be gone`, is);
  }

  /** The server on its port, until the world ends. */
  async serve(place: Place): Promise<void> {
    const child = this.spawn(place, process.execPath, script('server.ts'), String(SERVER_PORT));
    await once(child.stdout!, 'data');
  }

  /** Asks a server over UDP from so many sockets; the answers. */
  async ask(
    place: Place,
    host: string,
    port: number,
    sockets: number = 1,
    bytes: number = 10,
  ): Promise<readonly string[]> {
    const args = [script('ask.ts'), host, port, sockets, bytes].map(String);
    const { code, output } = this.run(place, process.execPath, ...args);
    assert.equal(code, 0, output);
    return JSON.parse(output) as string[];
  }

  /** What curl prints. */
  curl(place: Place, ...args: readonly string[]): string {
    const { code, output } = this.run(place, 'curl', '-sS', '--max-time', '25', ...args);
    assert.equal(code, 0, output);
    return output;
  }

  /** Runs a program to its end. */
  run(place: Place, program: string, ...args: readonly string[]): Ran {
    const argv = ['netns', 'exec', this.#spaces.get(place)!, program, ...args];
    const env = { ...process.env, LC_ALL: 'C', http_proxy: '' };
    const { status, stdout, stderr } = spawnSync(programPath('ip')!, argv, { encoding: 'utf8', timeout: 60_000, env });
    return { code: status, stdout, output: `${stdout}${stderr}` };
  }

  /** Starts a program that ends with the world. */
  spawn(place: Place, program: string, ...args: readonly string[]): ChildProcess {
    const child = inside(this.#spaces.get(place)!, program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    return child;
  }

  ip(place: Place, ...args: readonly string[]): void {
    ip('-n', this.#spaces.get(place)!, ...args);
  }

  forward(place: Place): void {
    this.run(place, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  }

  async stop(): Promise<void> {
    // The daemon first: it would start the engine again.
    await this.#daemon?.end('SIGTERM');
    const engine = this.#lab === null ? null : await dial(`${this.#lab.folder}/data/engine.sock`);
    await engine?.stop().catch(() => null);
    await engine?.closed;
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await this.#lab?.close();
  }

  #intents(): readonly object[] {
    const vrf = this.#insideVrf;
    const { link, intents, nextHop } = this.#way;
    const publish = (protocol: string): object => ({
      ...{ kind: 'publishedPort', hostAddress: OUTSIDE, hostPort: PUBLISHED_PORT, protocol },
      ...{ address: A, port: SERVER_PORT },
    });
    return [
      ...(vrf === 'default' ? [publish('tcp'), publish('udp')] : [{ kind: 'vrf', name: vrf }]),
      { kind: 'gatewayInterface', name: 'wg0', vrf, listenPort: PORT },
      { kind: 'address', interface: 'wg0', address: `${GATEWAY}/16` },
      ...this.#peers.map((peer, i) => ({
        ...{ kind: 'peer', interface: 'wg0', publicKey: peer.publicKey.toBase64() },
        allowedIps: [`10.99.0.${2 + i}/32`],
      })),
      ...intents,
      // What the gateway itself answers goes out of `default`.
      ...[...new Set([vrf, 'default'])].map((one) => ({
        ...{ kind: 'route', vrf: one, prefix: '0.0.0.0/0', interface: link, nextHop },
      })),
      { kind: 'masquerade', vrf, prefix: '10.99.0.0/16', leaving: [link] },
      ...this.#more,
    ];
  }

  #cable(one: Place, other: Place): void {
    const [near, far] = [this.#spaces.get(one)!, this.#spaces.get(other)!];
    const [here, there] = [`to-${other}`, `to-${one}`];
    ip('-n', near, 'link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', far);
    ip('-n', near, 'link', 'set', here, 'up');
    ip('-n', far, 'link', 'set', there, 'up');
  }
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
