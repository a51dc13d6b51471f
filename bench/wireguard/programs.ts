/**
 * iperf3, and a wireguard-go with GSO and GRO, which Debian 12's is without: unpacked into .cache/peers, never installed. Debian 13's
 * package runs on 12 as well. Without apt-get, root or the network, what the machine has must do, and the bench says so.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/files.ts';
import { programPath } from '../../tests/world/needs.ts';

const cache = join(root, '.cache', 'peers');
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

export interface BenchPrograms {
  /** Null: not to be had. */
  readonly iperf3: string | null;
  /** What iperf3 needs in its environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly wireguardGo: string | null;
  /** Which wireguard-go it is, for people. */
  readonly wireguardGoIs: string;
}

export function benchPrograms(): BenchPrograms {
  const unpacked = join(cache, 'trixie');
  const libraries = join(cache, 'here');
  const newer = join(unpacked, 'usr', 'bin', 'wireguard-go');
  if (!existsSync(newer)) fetchInto(unpacked, ['wireguard-go'], 'trixie');
  const own = join(libraries, 'usr', 'bin', 'iperf3');
  if (programPath('iperf3') === null && !existsSync(own))
    fetchInto(libraries, ['iperf3', 'libiperf0', 'libsctp1'], null);
  const iperf3 = programPath('iperf3') ?? (existsSync(own) ? own : null);
  const env = iperf3 === own ? { ...process.env, LD_LIBRARY_PATH: libraryFolders(libraries) } : process.env;
  if (existsSync(newer) && spawnSync(newer, ['--version']).status === 0)
    return { iperf3, env, wireguardGo: newer, wireguardGoIs: "Debian 13's wireguard-go, with GSO and GRO" };
  const installed = programPath('wireguard-go');
  return {
    iperf3,
    env,
    wireguardGo: installed,
    wireguardGoIs: "the machine's own wireguard-go, which may lack GSO and GRO",
  };
}

/** Downloads packages with apt and unpacks them. A failure leaves nothing, and is told on stderr. */
function fetchInto(folder: string, packages: readonly string[], release: string | null): void {
  if (programPath('apt-get') === null || programPath('dpkg') === null) return;
  const work = join(cache, 'apt');
  for (const path of ['lists/partial', 'archives/partial', 'debs']) mkdirSync(join(work, path), { recursive: true });
  const options: string[] = [];
  if (release !== null) {
    const mirror = debianMirror();
    if (mirror === null || !existsSync(KEYRING)) return;
    // Its own lists and sources: the machine's apt hears nothing of another release.
    writeFileSync(join(work, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${release} main\n`);
    options.push('-o', `Dir::Etc::sourcelist=${join(work, 'sources.list')}`, '-o', 'Dir::Etc::sourceparts=-');
    options.push('-o', `Dir::State::lists=${join(work, 'lists')}`, '-o', `Dir::Cache=${work}`);
    if (!apt(work, [...options, 'update'])) return;
  }
  const debs = join(work, 'debs');
  if (apt(debs, [...options, 'download', ...packages]))
    for (const deb of readdirSync(debs))
      spawnSync('dpkg', ['-x', join(debs, deb), folder], { stdio: ['ignore', 2, 2] });
  rmSync(debs, { recursive: true });
}

/** Where this machine gets Debian from; null when it is none, or gets it otherwise. */
function debianMirror(): string | null {
  const asked = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'];
  const { status, stdout } = spawnSync('apt-get', asked, { encoding: 'utf8' });
  if (status !== 0) return null;
  return stdout.split('\n').find((uri) => /\/debian\/?$/.test(uri)) ?? null;
}

function apt(cwd: string, args: readonly string[]): boolean {
  return spawnSync('apt-get', ['-q', ...args], { cwd, stdio: ['ignore', 2, 2], timeout: 120_000 }).status === 0;
}

function libraryFolders(folder: string): string {
  const lib = join(folder, 'usr', 'lib');
  return readdirSync(lib)
    .map((name) => join(lib, name))
    .join(':');
}
