/**
 * A router, which is this process, and hosts around it in namespaces of their own:
 *
 *     out 192.0.2.2 2001:db8::2 ── up0 [router] ─┬─ bra 172.18.0.1/16 fd18::1/64 ── a1 .2, a2 .3
 *                                                ├─ brb 172.19.0.1/16 fd19::1/64 ── b1 .2
 *                                                └─ brc 172.20.0.1/16 fd20::1/64 ── c1 .2
 *
 * The program that uses it has network and mount namespaces of its own already, so that names of namespaces are nobody else's.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ask, type Question } from './host.ts';

const program = new URL('host.ts', import.meta.url).pathname;

export function run(command: string, input?: string): string {
  const [name, ...args] = command.split(' ');
  return execFileSync(name!, args, { encoding: 'utf8', ...(input === undefined ? {} : { input }) });
}
export const ip = (command: string): string => run(`ip ${command}`);
export function sysctl(name: string, value: string): void {
  writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, value);
}

/** Whether packets between ports of a bridge pass through netfilter too, where the kernel can do that; else false. */
export function showBridged(on: boolean): boolean {
  const files = ['ip', 'ip6'].map((family) => `/proc/sys/net/bridge/bridge-nf-call-${family}tables`);
  if (!files.every((file) => existsSync(file))) return false;
  for (const file of files) writeFileSync(file, on ? '1' : '0');
  return true;
}

export interface Asking {
  tcp(address: string, port: number, more?: Partial<Question>): Promise<string>;
  udp(address: string, port: number, more?: Partial<Question>): Promise<string>;
}

/** The router itself asks. */
export const router: Asking = {
  tcp: (address, port, more) => ask({ id: 0, ask: 'tcp', address, port, ...more }),
  udp: (address, port, more) => ask({ id: 0, ask: 'udp', address, port, ...more }),
};

export class Host implements Asking {
  readonly name: string;
  readonly #patienceMs: number | undefined;
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, (said: string) => void>;
  #last: number;

  /** `quiet`: it asks, and answers nobody; `host`: another program than the usual one. */
  constructor(name: string, patienceMs?: number, quiet = false, host = program) {
    this.name = name;
    this.#patienceMs = patienceMs;
    this.#waiting = new Map();
    this.#last = 0;
    this.#child = spawn('ip', ['netns', 'exec', name, process.execPath, host, name, quiet ? 'quiet' : ''], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  }

  async start(): Promise<this> {
    const lines = createInterface({ input: this.#child.stdout! });
    await once(lines, 'line');
    lines.on('line', (line) => {
      const { id, said } = JSON.parse(line) as { id: number; said: string };
      this.#waiting.get(id)?.(said);
      this.#waiting.delete(id);
    });
    return this;
  }

  tcp(address: string, port: number, more: Partial<Question> = {}): Promise<string> {
    return this.say({ ask: 'tcp', address, port, ...more });
  }

  udp(address: string, port: number, more: Partial<Question> = {}): Promise<string> {
    return this.say({ ask: 'udp', address, port, ...more });
  }

  /** What it has been told by UDP since it was asked this last. */
  heard(): Promise<string> {
    return this.say({ ask: 'heard', address: '', port: 0 });
  }

  exec(command: string): string {
    return ip(`netns exec ${this.name} ${command}`);
  }

  async end(): Promise<void> {
    this.#child.stdin!.end();
    await once(this.#child, 'exit');
  }

  say(question: object): Promise<string> {
    const id = ++this.#last;
    this.#child.stdin!.write(`${JSON.stringify({ patienceMs: this.#patienceMs, ...question, id })}\n`);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}

export interface Places {
  readonly out: Host;
  readonly a1: Host;
  readonly a2: Host;
  readonly b1: Host;
  readonly c1: Host;
}

export async function makePlaces(): Promise<Places> {
  run('mount -t tmpfs none /run');
  ip('link set lo up');
  sysctl('net.ipv4.ip_forward', '1');
  sysctl('net.ipv6.conf.all.forwarding', '1');
  showBridged(false);
  for (const name of ['all', 'default']) sysctl(`net.ipv4.conf.${name}.rp_filter`, '0');
  for (const [i, letter] of ['a', 'b', 'c'].entries()) {
    ip(`link add br${letter} type bridge`);
    ip(`address add 172.${18 + i}.0.1/16 dev br${letter}`);
    ip(`address add fd${18 + i}::1/64 dev br${letter} nodad`);
    ip(`link set br${letter} up`);
    sysctl(`net.ipv4.conf.br${letter}.route_localnet`, '1');
  }
  connect('out', 'up0', '192.0.2.2/24', '2001:db8::2/64', '192.0.2.1', '2001:db8::1');
  ip('address add 192.0.2.1/24 dev up0');
  ip('address add 2001:db8::1/64 dev up0 nodad');
  const inside = [
    ['a1', 'a', 18, 2],
    ['a2', 'a', 18, 3],
    ['b1', 'b', 19, 2],
    ['c1', 'c', 20, 2],
  ] as const;
  for (const [name, letter, net, host] of inside) {
    connect(name, `p-${name}`, `172.${net}.0.${host}/16`, `fd${net}::${host}/64`, `172.${net}.0.1`, `fd${net}::1`);
    ip(`link set p-${name} master br${letter}`);
  }
  const names = ['out', ...inside.map(([name]) => name)];
  const hosts = await Promise.all(names.map((name) => new Host(name).start()));
  return Object.fromEntries(hosts.map((host) => [host.name, host])) as unknown as Places;
}

export function connect(name: string, link: string, v4: string, v6: string, gateway4: string, gateway6: string): void {
  ip(`netns add ${name}`);
  ip(`link add ${link} type veth peer name eth0 netns ${name}`);
  ip(`link set ${link} up`);
  ip(`-n ${name} link set lo up`);
  ip(`-n ${name} address add ${v4} dev eth0`);
  ip(`-n ${name} address add ${v6} dev eth0 nodad`);
  ip(`-n ${name} link set eth0 up`);
  ip(`-n ${name} route add default via ${gateway4}`);
  ip(`-n ${name} route add default via ${gateway6}`);
}
