/** Brings the programs that the worlds talk to, where that is ours to do: as root, on a machine with apt-get. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { GUEST_KERNEL } from '../tests/world/guest.ts';
import { programPath, STEP_CA_SOURCES } from '../tests/world/needs.ts';

/** Program → the Debian package that has it. */
const packages: { readonly [program: string]: string } = {
  busybox: 'busybox-static',
  conntrack: 'conntrack',
  curl: 'curl',
  dig: 'bind9-dnsutils',
  dnsmasq: 'dnsmasq-base',
  faketime: 'faketime',
  go: 'golang-go',
  ip: 'iproute2',
  iperf3: 'iperf3',
  'iptables-nft': 'iptables',
  'linux.uml': 'user-mode-linux',
  modprobe: 'kmod',
  nft: 'nftables',
  pgrep: 'procps',
  ping: 'iputils-ping',
  postgres: 'postgresql',
  python3: 'python3',
  'qemu-system-x86_64': 'qemu-system-x86',
  script: 'bsdutils',
  tcpdump: 'tcpdump',
  traceroute: 'traceroute',
  tshark: 'tshark',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
};

/** File → the Debian package that has it, for what is no program. */
const files: { readonly [path: string]: string } = {
  [STEP_CA_SOURCES]: 'golang-github-smallstep-certificates-dev',
};

/**
 * Installs what is missing, speaking on stderr. A failure is no error: the worlds that need the package are then reported as not run.
 * On machines without root or apt-get nothing is touched.
 */
export function ensureWorlds(): void {
  const wanted = [
    ...Object.entries(packages).filter(([program]) => programPath(program) === null),
    ...Object.entries(files).filter(([path]) => !existsSync(path)),
  ].map(([, name]) => name);
  if (process.getuid?.() !== 0 || programPath('apt-get') === null) return;
  installPackages(wanted);
  if (!existsSync(GUEST_KERNEL)) fetchGuestKernel();
}

function installPackages(wanted: readonly string[]): void {
  if (wanted.length === 0) return;
  console.error(`installing Debian packages for the worlds: ${wanted.join(' ')}`);
  if (wanted.includes(packages.postgres!)) keepPostgresQuiet();
  const done = apt('update') && apt('install', '-y', '--no-install-recommends', ...wanted);
  if (!done) console.error('that did not work; the worlds that need them will be listed as not run');
}

/** Debian's kernel for guests is unpacked beside the clone's other peers: installed, it would be this machine's next one. */
function fetchGuestKernel(): void {
  const folder = mkdtempSync(join(tmpdir(), 'kernel-'));
  try {
    chmodSync(folder, 0o755);
    const { stdout } = spawnSync('apt-cache', ['depends', 'linux-image-cloud-amd64'], { encoding: 'utf8' });
    const image = /Depends: (linux-image-\S+)/.exec(stdout ?? '')?.[1];
    if (image === undefined || spawnSync('apt-get', ['-q', 'download', image], { cwd: folder }).status !== 0) {
      console.error('there is no kernel for guests to be had; the worlds in guests will be listed as not run');
      return;
    }
    const unpacked = join(folder, 'linux');
    if (spawnSync('dpkg', ['-x', join(folder, readdirSync(folder)[0]!), unpacked]).status !== 0) return;
    mkdirSync(dirname(GUEST_KERNEL), { recursive: true });
    cpSync(unpacked, GUEST_KERNEL, { recursive: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * The tests make a PostgreSQL of their own; what Debian's package makes and starts when it is installed, a database server for the whole
 * machine, nobody has asked for. Its own switch for that has to be there before.
 */
function keepPostgresQuiet(): void {
  mkdirSync('/etc/postgresql-common/createcluster.d', { recursive: true });
  writeFileSync('/etc/postgresql-common/createcluster.d/vrouter-tests.conf', 'create_main_cluster = false\n');
}

function apt(...args: readonly string[]): boolean {
  // Standard output belongs to the test report, so apt's goes to standard error.
  const { status } = spawnSync('apt-get', ['-q', ...args], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 600_000,
  });
  return status === 0;
}
