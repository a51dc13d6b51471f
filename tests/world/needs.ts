/**
 * What a world needs of the machine. A test says `test('...', { skip: needs('root', 'netns') }, ...)`; where something is missing it
 * is skipped with the reason, `npm test` lists it at the end, and with CI=true counts it as a failure.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A property of the machine, what step-ca is built from, or the name of a program that must be on PATH. */
export type Need = 'root' | 'netns' | 'userns' | 'mountns' | 'tun' | 'step-ca' | (string & {});

/** Sources of step-ca, as Debian has them. */
export const STEP_CA_SOURCES = '/usr/share/gocode/src/github.com/smallstep/certificates/commands/app.go';

/** Arguments of unshare for a program with mounts of its own: root needs no more than that, others become root of their own world. */
export const MOUNT_NAMESPACE: readonly string[] = process.getuid?.() === 0 ? ['-m'] : ['-Urm'];

const known = new Map<string, string | null>();

/** Null when the machine has all of it, else why not, in one line: what node:test wants as `skip`. Looked up once per process. */
export function needs(...what: readonly Need[]): string | false {
  const reasons: string[] = [];
  for (const need of what) {
    if (!known.has(need)) known.set(need, lookUp(need));
    const reason = known.get(need);
    if (reason != null) reasons.push(reason);
  }
  return reasons.length === 0 ? false : reasons.join(', ');
}

/** Where a program is on PATH; null when it is not. */
export function programPath(name: string): string | null {
  // The sbin folders hold `ip` and its like, and are often not on the PATH of ordinary users.
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', ...postgresFolders()]) {
    if (folder !== '' && can(join(folder, name), constants.X_OK)) return join(folder, name);
  }
  return null;
}

/** Debian keeps the server's programs in a folder of their version, newest first here, and puts none of them on PATH. */
function postgresFolders(): string[] {
  const above = '/usr/lib/postgresql';
  const versions = can(above, constants.R_OK) ? readdirSync(above) : [];
  return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(above, version, 'bin'));
}

function lookUp(need: Need): string | null {
  switch (need) {
    case 'root':
      return process.getuid?.() === 0 ? null : 'not root';
    case 'netns':
      return worked('unshare', '-n', 'true') ? null : 'no network namespaces (unshare -n fails)';
    case 'userns':
      return worked('unshare', '-Urn', 'true') ? null : 'no user namespaces (unshare -Urn fails)';
    case 'mountns':
      return worked('unshare', ...MOUNT_NAMESPACE, 'mount', '-t', 'tmpfs', 'none', '/mnt')
        ? null
        : 'no mount namespaces (unshare -m and a tmpfs fail)';
    case 'tun':
      return can('/dev/net/tun', constants.R_OK | constants.W_OK) ? null : 'no /dev/net/tun';
    case 'step-ca':
      if (!can(STEP_CA_SOURCES, constants.R_OK)) return 'no sources of step-ca';
      return programPath('go') === null ? 'no go' : null;
    default:
      return programPath(need) === null ? `no ${need}` : null;
  }
}

function worked(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

function can(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
