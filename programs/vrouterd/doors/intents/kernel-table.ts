/** Tables of the kernel that are files: `/proc/self/net/route`, `/proc/self/net/tcp`. */
import { readFileSync } from 'node:fs';
import { ProblemError, problem } from '@vrouter/core/problem.ts';

/**
 * '' where the machine has no such table. Throws ProblemError `plane.failed` when it has one that cannot be read, as when this program may open no more
 * files: nothing that is judged by an empty table then would be true.
 */
export function readKernelTable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    const advice =
      code === 'EMFILE' || code === 'ENFILE'
        ? ': too many files are open, let it have more (ulimit -n, LimitNOFILE=)'
        : '';
    throw new ProblemError(problem('plane.failed', `the kernel does not tell ${path} (${code ?? message})${advice}`));
  }
}
