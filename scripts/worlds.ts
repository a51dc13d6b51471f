/** Brings the programs that the worlds talk to, where that is ours to do: as root, on a machine with apt-get. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { programPath, STEP_CA_SOURCES } from '../tests/world/needs.ts';

/** Program → the Debian package that has it. */
const packages: { readonly [program: string]: string } = {
  curl: 'curl',
  faketime: 'faketime',
  go: 'golang-go',
  ip: 'iproute2',
  iperf3: 'iperf3',
  ping: 'iputils-ping',
  postgres: 'postgresql',
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
  if (wanted.length === 0 || process.getuid?.() !== 0 || programPath('apt-get') === null) return;
  console.error(`installing Debian packages for the worlds: ${wanted.join(' ')}`);
  if (wanted.includes(packages.postgres!)) keepPostgresQuiet();
  const done = apt('update') && apt('install', '-y', '--no-install-recommends', ...wanted);
  if (!done) console.error('that did not work; the worlds that need them will be listed as not run');
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
