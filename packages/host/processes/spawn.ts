/**
 * Starts a program that is to outlive us, by posix_spawn(3). Node's own way forks, which copies the page tables of this process: with a few
 * hundred megabytes of them nothing else is done for tens of milliseconds.
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';
import { ReadablePoll } from '../internal/poll.ts';
import { errnoName } from '../udp/problems.ts';

/** Of glibc and musl alike; the structures are smaller than these bytes in both. */
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const STRUCTURE_BYTES = 512;
const SIGNAL_SET_BYTES = 128;
const WNOHANG = 1;

interface Calls {
  posix_spawn_file_actions_init(actions: number): number;
  posix_spawn_file_actions_adddup2(actions: number, fd: number, as: number): number;
  posix_spawn_file_actions_addopen(actions: number, fd: number, path: string, flags: number, mode: number): number;
  posix_spawn_file_actions_addchdir_np(actions: number, path: string): number;
  posix_spawn_file_actions_destroy(actions: number): number;
  posix_spawnattr_init(attributes: number): number;
  posix_spawnattr_setflags(attributes: number, flags: number): number;
  posix_spawnattr_setsigdefault(attributes: number, signals: number): number;
  posix_spawnattr_setsigmask(attributes: number, signals: number): number;
  posix_spawnattr_destroy(attributes: number): number;
  posix_spawn(
    pid: number,
    path: string,
    actions: number,
    attributes: number,
    args: readonly (string | null)[],
    env: readonly (string | null)[],
  ): number;
  pidfd_open(pid: number, flags: number): number;
  waitpid(pid: number, status: number, options: number): number;
  close(fd: number): number;
}

export interface SpawnOptions {
  /** With `PATH`, where the program is looked for when its name has no slash. */
  readonly env: { readonly [name: string]: string };
  /** A descriptor of ours that its output and its errors go to; its input is empty. */
  readonly output: number;
  /** Called once when it has ended. */
  onExit(): void;
}

const memo: { door?: { readonly native: Native; readonly calls: Calls } | null } = {};

/**
 * Its process number. It is the leader of a session of its own, in `/`, with no signal blocked or ignored. Null where this cannot be done
 * (no koffi, a C library without pidfd_open): then node's own way has to do. Throws an Error with `code`, as node's way does: ENOENT when there is no such program.
 */
export function spawnApart(program: string, args: readonly string[], options: SpawnOptions): number | null {
  const door = openDoor();
  if (door === null) return null;
  const { native, calls } = door;
  const path = pathOf(program, options.env.PATH ?? '');
  const addresses = new AddressBook(native);
  const [actions, attributes] = [new ArrayBuffer(STRUCTURE_BYTES), new ArrayBuffer(STRUCTURE_BYTES)];
  const [every, none] = [new ArrayBuffer(SIGNAL_SET_BYTES), new ArrayBuffer(SIGNAL_SET_BYTES)];
  new Uint8Array(every).fill(0xff);
  const number = new ArrayBuffer(4);
  const [files, how] = [addresses.of(actions), addresses.of(attributes)];
  calls.posix_spawn_file_actions_init(files);
  calls.posix_spawn_file_actions_addopen(files, 0, '/dev/null', constants.O_RDONLY, 0);
  calls.posix_spawn_file_actions_adddup2(files, options.output, 1);
  calls.posix_spawn_file_actions_adddup2(files, options.output, 2);
  calls.posix_spawn_file_actions_addchdir_np(files, '/');
  calls.posix_spawnattr_init(how);
  calls.posix_spawnattr_setflags(how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  calls.posix_spawnattr_setsigdefault(how, addresses.of(every));
  calls.posix_spawnattr_setsigmask(how, addresses.of(none));
  const env = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  const refusal = calls.posix_spawn(addresses.of(number), path, files, how, [path, ...args, null], [...env, null]);
  calls.posix_spawn_file_actions_destroy(files);
  calls.posix_spawnattr_destroy(how);
  if (refusal !== 0) throw failure(errnoName(refusal), path);
  const pid = new DataView(number).getInt32(0, true);
  watchEnd(native, calls, pid, options.onExit);
  return pid;
}

/** Until then it would stay in the table of processes: nobody else waits for it. */
function watchEnd(native: Native, calls: Calls, pid: number, onExit: () => void): void {
  const fd = calls.pidfd_open(pid, 0);
  const poll = new ReadablePoll(native, fd, () => {
    poll.close();
    calls.close(fd);
    calls.waitpid(pid, 0, WNOHANG);
    onExit();
  });
  poll.unref();
}

function pathOf(program: string, folders: string): string {
  if (program.includes('/')) return program;
  for (const folder of folders.split(':')) {
    const path = join(folder || '.', program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // In another one.
    }
  }
  throw failure('ENOENT', program);
}

function failure(code: string, program: string): Error {
  return Object.assign(new Error(`${program} cannot be started: ${code}`), { code });
}

function openDoor(): { readonly native: Native; readonly calls: Calls } | null {
  if (memo.door === undefined) {
    const native = process.platform === 'linux' ? loadNative() : null;
    const pointer = 'uint64_t';
    const calls =
      native === null
        ? null
        : loadFunctions<Calls>(native.self, {
            posix_spawn_file_actions_init: ['int', [pointer]],
            posix_spawn_file_actions_adddup2: ['int', [pointer, 'int', 'int']],
            posix_spawn_file_actions_addopen: ['int', [pointer, 'int', 'str', 'int', 'uint']],
            posix_spawn_file_actions_addchdir_np: ['int', [pointer, 'str']],
            posix_spawn_file_actions_destroy: ['int', [pointer]],
            posix_spawnattr_init: ['int', [pointer]],
            posix_spawnattr_setflags: ['int', [pointer, 'short']],
            posix_spawnattr_setsigdefault: ['int', [pointer, pointer]],
            posix_spawnattr_setsigmask: ['int', [pointer, pointer]],
            posix_spawnattr_destroy: ['int', [pointer]],
            posix_spawn: ['int', [pointer, 'str', pointer, pointer, 'const char **', 'const char **']],
            pidfd_open: ['int', ['int', 'uint']],
            waitpid: ['int', ['int', pointer, 'int']],
            close: ['int', ['int']],
          });
    memo.door = native === null || calls === null ? null : { native, calls };
  }
  return memo.door;
}
