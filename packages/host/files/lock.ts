/**
 * One process per data folder. The lock is the kernel's, so it ends with the process, however that ends, and no file left behind
 * can be mistaken for it: flock(2) through the native door, SQLite's file lock where there is none.
 */
import { accessSync, closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { loadFunctions, loadNative } from '../internal/native.ts';
import { unwritable } from './problems.ts';

/** sys/file.h; Linux, macOS and the BSDs agree. */
const LOCK_EX = 2;
const LOCK_NB = 4;

const LOCK_NAME = 'lock';
const PID_NAME = 'lock.pid';

/** A held lock. Disposing lets it go; a second time does nothing. */
export interface Lock extends Disposable {
  readonly path: string;
}

export type LockMethod = 'flock' | 'sqlite';

interface Flock {
  flock(fd: number, operation: number): number;
}

function loadFlock(): Flock | null {
  const native = loadNative();
  return native === null ? null : loadFunctions<Flock>(native.self, { flock: ['int', ['int', 'int']] });
}

/**
 * Takes the folder, which exists, for this process; children do not inherit it. All programs of one machine must use the same method,
 * which they do unless told otherwise. Throws ProblemError `data.inUse` with the holder's pid, or `data.unwritable`.
 */
export function lockFolder(folder: string, method?: LockMethod): Lock {
  const flock = method === 'sqlite' ? null : loadFlock();
  if (method === 'flock' && flock === null) throw new Error('this machine has no flock that we can call');
  const path = join(folder, LOCK_NAME);
  try {
    const release = flock === null ? holdSqlite(path) : holdFlock(path, flock);
    if (release === null) throw new ProblemError(problem('data.inUse', inUse(folder)));
    writePid(folder);
    let held = true;
    return {
      path,
      [Symbol.dispose]() {
        if (held) release();
        held = false;
      },
    };
  } catch (thrown) {
    if (thrown instanceof ProblemError) throw thrown;
    throw unwritable(path, thrown);
  }
}

/** The release of the lock, or null when somebody holds it. */
function holdFlock(path: string, calls: Flock): (() => void) | null {
  // Node opens with O_CLOEXEC. The file stays for ever: unlinking it would let two processes lock two files of one name.
  const fd = openSync(path, 'a', 0o600);
  if (calls.flock(fd, LOCK_EX | LOCK_NB) === 0) return () => closeSync(fd);
  closeSync(fd);
  return null;
}

function holdSqlite(path: string): (() => void) | null {
  // SQLite's own complaint about a path that cannot be written names no reason; this one does. Opening the file to see would not do:
  // closing it again would end a lock of ours.
  accessSync(dirname(path), constants.W_OK);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return () => database.close();
  } catch (thrown) {
    database.close();
    if (thrown instanceof Error && /locked|busy/.test(thrown.message)) return null;
    throw thrown;
  }
}

/** Beside the lock, not in it: SQLite's lock ends when any descriptor of its file in this process is closed. */
function writePid(folder: string): void {
  const fd = openSync(join(folder, PID_NAME), 'a', 0o600);
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  closeSync(fd);
}

function inUse(folder: string): string {
  let pid = '';
  try {
    pid = readFileSync(join(folder, PID_NAME), 'utf8').trim();
  } catch {
    // The holder has not come to writing it yet.
  }
  const holder = /^\d+$/.test(pid) ? `process ${pid}` : 'another process';
  return `${folder} is in use by ${holder}: stop it, or choose another data folder`;
}
