/** The folder that a program keeps its keys and state in. */
import { accessSync, chmodSync, constants, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ProblemError } from '@vrouter/core/problem.ts';
import { systemCode, unwritable, unwritableBecause } from './problems.ts';

/**
 * Makes sure that the folder exists, is writable and is nobody else's business (0700); parents are made the same way. An empty folder
 * is closed to others; one with something in it that is open to others is refused instead, since it may be /etc, named by mistake.
 * Throws ProblemError `data.unwritable`.
 */
export function ensurePrivateFolder(path: string): void {
  const refuse = (why: string): never => {
    throw new ProblemError(unwritableBecause(path, why));
  };
  try {
    makeFolders(resolve(path));
    const { mode } = statSync(path);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    if ((mode & 0o077) === 0) return;
    if (readdirSync(path).length > 0)
      refuse(
        `it is open to other users (mode ${octal(mode)}); choose another, or close it if it is all ours (chmod 700)`,
      );
    chmodSync(path, 0o700);
  } catch (thrown) {
    if (thrown instanceof ProblemError) throw thrown;
    if (isFile(path)) refuse('it is a file, not a folder');
    if (systemCode(thrown) === 'EEXIST') refuse('a part of the path is not a folder');
    throw unwritable(path, thrown);
  }
}

/** As `mkdir -p` does. Not by Node's `recursive`, which never comes back where a file system answers ENOENT to mkdir, as /proc does. */
function makeFolders(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) makeFolders(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (thrown) {
    // Somebody else was quicker.
    if (systemCode(thrown) !== 'EEXIST' || isFile(path)) throw thrown;
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

function isFile(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch {
    return false;
  }
}
