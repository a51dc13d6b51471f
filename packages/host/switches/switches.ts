/** Kernel switches: files below /proc/sys (sysctl(8)), of the network namespace of this process as far as they are its. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ProblemError, problem } from '@vrouter/core/problem.ts';

const ROOT = '/proc/sys/';

/** By their paths below /proc/sys: `net/ipv4/ip_forward`. */
export const switchFiles = {
  /** Without the newline; null when there is no such switch. */
  read(path: string): string | null {
    try {
      return readFileSync(pathOf(path), 'utf8').trim();
    } catch {
      return null;
    }
  },

  /** Throws ProblemError `port.denied` or `plane.failed`. */
  write(path: string, value: string): void {
    try {
      writeFileSync(pathOf(path), value);
    } catch (thrown) {
      const { code = '', message } = thrown as NodeJS.ErrnoException;
      const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
      const name = path.replaceAll('/', '.');
      throw new ProblemError(
        denied
          ? problem('port.denied', `the switch ${name} needs privileges, and /proc/sys that can be written`)
          : problem('plane.failed', `the switch ${name} cannot be set to ${value}: ${message}`),
      );
    }
  },

  /** Names in a folder; none when it is not there. */
  list(path: string): readonly string[] {
    try {
      return readdirSync(pathOf(path));
    } catch {
      return [];
    }
  },
};

/** Nothing that is asked for leads out of /proc/sys. */
function pathOf(path: string): string {
  if (path.split('/').some((part) => part === '..' || part === '')) throw new TypeError(`${path} is no switch`);
  return ROOT + path;
}
