/**
 * A router, which is this machine, on a cable that carries its uplink untagged and its networks tagged, as a VM's only cable does:
 *
 *     eth0 192.0.2.1/24 [router] ── trunk [switch] ─┬─ eth0 192.0.2.2            outside: a server, a neighbour, who is asked for other names
 *     eth0.100 172.18.0.1/16                        ├─ eth0.100 172.18.0.2, .3   a1, a2
 *     eth0.101 172.19.0.1/16                        └─ eth0.101 172.19.0.2       b1
 *
 * The switch passes frames as they come, tags and all; each container takes its VLAN off its own cable. The router's VLANs, and all that makes it
 * one, are for `router-service` to make. For a machine of its own (`runInGuest`): nothing is taken away at the end.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectVsock } from '@vrouter/host/vsock/connect.ts';
import { VMADDR_CID_LOCAL } from '@vrouter/host/vsock/syscalls.ts';
import {
  newerClient,
  olderClient,
  type RouterClient,
  sessionOver,
} from '../../programs/vrouterd/doors/router/client.testing.ts';
import { Host, ip, run } from '../nftables/places.ts';
import { programPath } from '../world/needs.ts';

export const UPLINK = 'eth0';
/** So that what VLANs get from their parent shows. */
export const UPLINK_MTU = 1480;
export const ROUTER = '192.0.2.1';
export const OUTSIDE = '192.0.2.2';
export const BLUE = { vlanId: 100, subnet: '172.18.0.0/16', gateway: '172.18.0.1', networkName: 'blue' };
export const GREEN = { vlanId: 101, subnet: '172.19.0.0/16', gateway: '172.19.0.1', networkName: 'green' };
export const A1 = '172.18.0.2';
export const A2 = '172.18.0.3';
export const B1 = '172.19.0.2';

const SOCKET = '/run/router.sock';
const VSOCK_PORT = 50_052;
const DATA = '/run/data';
const RESOLV_CONF = '/run/resolv.conf';
const hostProgram = fileURLToPath(new URL('host.ts', import.meta.url));
const serviceProgram = fileURLToPath(new URL('../../programs/vrouterd/router-service.ts', import.meta.url));
/** Slow machines are slow. */
const PATIENCE_MS = 1500;

export interface Lab {
  readonly outside: Host;
  readonly a1: Host;
  readonly a2: Host;
  readonly b1: Host;
}

export async function makeLab(): Promise<Lab> {
  ip('netns add switch');
  ip(`link add ${UPLINK} mtu ${UPLINK_MTU} type veth peer name trunk netns switch`);
  ip('-n switch link add br0 type bridge mcast_snooping 0');
  ip('-n switch link set br0 up');
  plug('trunk');
  ip(`address add ${ROUTER}/24 dev ${UPLINK}`);
  ip(`link set ${UPLINK} up`);
  ip(`route add default via ${OUTSIDE}`);
  cable('outside', `${OUTSIDE}/24`, null, null);
  // It would reach containers, if it were let.
  ip(`-n outside route add 172.16.0.0/12 via ${ROUTER}`);
  cable('a1', `${A1}/16`, BLUE.vlanId, BLUE.gateway);
  cable('a2', `${A2}/16`, BLUE.vlanId, BLUE.gateway);
  cable('b1', `${B1}/16`, GREEN.vlanId, GREEN.gateway);
  makeForeign();
  writeFileSync(RESOLV_CONF, `nameserver ${OUTSIDE}\n`);
  run(`mount --bind ${RESOLV_CONF} /etc/resolv.conf`);
  run(
    `ip netns exec outside ${programPath('dnsmasq')} --no-hosts --no-resolv --user=root --pid-file= --address=/example.org/198.51.100.7`,
  );
  const [outside, a1, a2, b1] = await Promise.all(
    ['outside', 'a1', 'a2', 'b1'].map((name) => new Host(name, PATIENCE_MS, false, hostProgram).start()),
  );
  return { outside: outside!, a1: a1!, a2: a2!, b1: b1! };
}

/** What others have on such a host: a VLAN of the same parent, a route, and tables as iptables, Docker and firewalld have them. */
function makeForeign(): void {
  ip(`link add link ${UPLINK} name ${UPLINK}.300 type vlan id 300`);
  ip(`address add 10.250.0.1/24 dev ${UPLINK}.300`);
  ip(`link set ${UPLINK}.300 up alias theirs`);
  ip(`route add 198.18.0.0/24 via ${OUTSIDE} proto 99`);
  run('nft -f -', FOREIGN_TABLES);
  foreign.before = foreign.now();
}

const FOREIGN_TABLES = `
table ip nat {
  chain DOCKER {
    iifname "docker0" return
    iifname != "docker0" tcp dport 18080 dnat to 172.30.0.2:80
  }
  chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; fib daddr type local jump DOCKER
  }
  chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 172.30.0.0/16 oifname != "docker0" masquerade
  }
}
table ip filter {
  chain DOCKER-USER { return
  }
  chain FORWARD { type filter hook forward priority filter; policy accept; jump DOCKER-USER
  }
}
table ip docker-bridges {
  map filter-forward-in-jumps { type ifname : verdict; elements = { "docker0" : accept }
  }
  chain filter-FORWARD { type filter hook forward priority filter; policy accept; oifname vmap @filter-forward-in-jumps
  }
}
table inet firewalld {
  chain filter_INPUT { type filter hook input priority 10; policy accept; ct state { established, related } accept
  }
  chain filter_FORWARD { type filter hook forward priority 10; policy accept; ct status dnat accept comment "published"
  }
}
`;

/** Byte for byte, what is others'. */
export const foreign = {
  before: '',
  now: (): string =>
    [
      ...['ip nat', 'ip filter', 'ip docker-bridges', 'inet firewalld'].map((table) => run(`nft list table ${table}`)),
      // The kernel is done with asking who has an address some moment later.
      ip(`-d address show dev ${UPLINK}.300`).replaceAll(' tentative', ''),
      ip('route show proto 99'),
    ].join('\n'),
};

function plug(port: string): void {
  ip(`-n switch link set ${port} master br0`);
  ip(`-n switch link set ${port} up`);
}

function cable(name: string, address: string, vlanId: number | null, gateway: string | null): void {
  ip(`netns add ${name}`);
  ip(`-n ${name} link add eth0 type veth peer name p-${name} netns switch`);
  plug(`p-${name}`);
  ip(`-n ${name} link set lo up`);
  ip(`-n ${name} link set eth0 up`);
  const link = vlanId === null ? 'eth0' : `eth0.${vlanId}`;
  if (vlanId !== null) ip(`-n ${name} link add link eth0 name ${link} type vlan id ${vlanId}`);
  ip(`-n ${name} link set ${link} up`);
  ip(`-n ${name} address add ${address} dev ${link}`);
  if (gateway !== null) ip(`-n ${name} route add default via ${gateway}`);
}

/** `router-service` as its own process. */
export class Service {
  readonly process: ChildProcess;
  #log = '';
  exited = false;

  constructor(flags: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    const args = ['-vsock-port', String(VSOCK_PORT), '--allowed-cids=1', '--socket', SOCKET, '--data', DATA, ...flags];
    this.process = spawn(process.execPath, [serviceProgram, ...args], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.process.stderr!.on('data', (text) => (this.#log += text));
    this.process.once('exit', () => {
      this.exited = true;
    });
  }

  get log(): string {
    return this.#log;
  }

  /** A client of the older router over VSOCK, once it is served. */
  older(): Promise<RouterClient> {
    return this.#client(async () => olderClient(sessionOver(await connectVsock(VMADDR_CID_LOCAL, VSOCK_PORT))));
  }

  /** One that can say `enable_nat = false`, over the unix socket. */
  newer(): Promise<RouterClient> {
    return this.#client(async () => newerClient(sessionOver(createConnection(SOCKET))));
  }

  async #client(connect: () => Promise<RouterClient>): Promise<RouterClient> {
    for (;;) {
      if (this.exited) throw new Error(`router-service has ended: ${this.#log}`);
      try {
        const client = await connect();
        await client.getHealth({});
        return client;
      } catch {
        await sleep(100);
      }
    }
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    if (this.exited) return;
    const exit = once(this.process, 'exit');
    this.process.kill(signal);
    await exit;
  }
}

interface LinkJson {
  readonly ifname: string;
  readonly address: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly operstate: string;
  readonly link?: string;
  readonly linkinfo?: {
    readonly info_kind: string;
    readonly info_data?: { readonly id: number; readonly protocol: string };
  };
  readonly addr_info: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
    readonly broadcast?: string;
  }[];
}

/** As iproute2 has it; null: there is none. */
export function linkOf(name: string): LinkJson | null {
  const { status, stdout } = spawnSync('ip', ['-j', '-d', 'address', 'show', 'dev', name], { encoding: 'utf8' });
  return status === 0 ? ((JSON.parse(stdout) as LinkJson[])[0] ?? null) : null;
}

/** Everything of ours in the kernel and in files, as others see it; without what counts or passes. */
export function picture(): string {
  const links = ip('-o link show').replaceAll(/ (?:qdisc|state|qlen) \S+/g, '');
  const addresses = ip('-o address show')
    .replaceAll(/ *\\ *valid_lft .*$/gm, '')
    .replaceAll(/.* fe80::.*\n/g, '');
  return [links, addresses, ip('-4 route show table all'), ruleset(), files()].join('\n');
}

export function ruleset(): string {
  return run('nft -s list ruleset').replaceAll(/ (?:expires|timeout) \S+/g, '');
}

function files(): string {
  const below = readdirSync('/run/vrouter', { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return (
    below
      .map(({ parentPath, name }) => join(parentPath, name))
      // Not what is another in each process, or with each of its starts.
      .filter((path) => !/\/marks\/|[./](?:pid|log)$/.test(path))
      .sort()
      .map((path) => `${path}\n${readFileSync(path, 'utf8')}`)
      .join('\n')
  );
}

/** Flows of an address, by conntrack(8). */
export function flows(address: string): string[] {
  const { stdout } = spawnSync('conntrack', ['-L'], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.split(/[ =]/).includes(address));
}

export interface Dug {
  /** Null: nobody answered. */
  readonly status: string | null;
  readonly answers: readonly string[];
}

/** dig asks once, and waits for two seconds. */
export function dig(host: Host | null, server: string, ...words: readonly string[]): Dug {
  return digAll(host, server, words)[0] ?? { status: null, answers: [] };
}

/** The same for several questions, one after the other. */
export function digAll(host: Host | null, server: string, ...questions: readonly (readonly string[])[]): Dug[] {
  const all = [`@${server}`, '+timeout=2', '+tries=1', '+noall', '+comments', '+answer'];
  const asking = ['dig', ...questions.flatMap((words) => [...all, '+notcp', ...words])];
  const command = host === null ? asking : ['ip', 'netns', 'exec', host.name, ...asking];
  const { stdout } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' });
  return stdout
    .split(/^(?=;; (?:Got answer|.*(?:no servers|timed out|refused)))/m)
    .filter((part) => /Got answer/.test(part))
    .map((part) => ({
      status: /status: ([A-Z]+)/.exec(part)?.[1] ?? null,
      answers: part
        .split('\n')
        .filter((line) => /^[^;\s].*\sIN\s/.test(line))
        .map((line) => line.split(/\s+/).slice(3).join(' ')),
    }));
}

/** What curl says from a host, or its exit code. */
export function curl(host: Host | null, ...words: readonly string[]): string {
  const asking = ['curl', '-s', '--max-time', '3', ...words];
  const all = host === null ? asking : ['ip', 'netns', 'exec', host.name, ...asking];
  const { status, stdout } = spawnSync(all[0]!, all.slice(1), { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : `curl ${status}`;
}

/** Of the process that answers a network's names. */
export function resolverOf(network: string): number {
  const line = run('pgrep -a dnsmasq')
    .split('\n')
    .find((one) => one.includes(`/${network}/`));
  return Number(line?.split(' ')[0]);
}

export function sh(command: string): string {
  return execFileSync('sh', ['-ec', command], { encoding: 'utf8' });
}

export async function until(what: string, is: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await is())) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await sleep(50);
  }
}

mkdirSync('/run/vrouter', { recursive: true, mode: 0o711 });
