/**
 * A disk of a program's own that a test fills: a small tmpfs in the mount namespace of that program alone. The database lies there by a
 * symbolic link; sockets, keys and logs stay on the machine's disk, so it is the database that meets the end of the room.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Launch } from '../../programs/demo/world/network.ts';
import { MOUNT_NAMESPACE } from '../world/needs.ts';

const CHUNK = Buffer.alloc(4096, 0x5a);

export class SmallDisk {
  readonly #mount: string;
  readonly #megabytes: number;

  /** `folder`: where it is to be, which must not be there yet. */
  constructor(folder: string, megabytes: number) {
    this.#mount = folder;
    this.#megabytes = megabytes;
    mkdirSync(folder, { mode: 0o700 });
  }

  /** Lets the database at `path` lie on this disk. */
  holds(path: string): void {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    symlinkSync(join(this.#mount, 'database'), path);
  }

  /** The program with this disk. */
  under({ command, args, env }: Launch): Launch {
    const mount = `mount -t tmpfs -o size=${this.#megabytes}m,mode=700 tmpfs "$0" && exec "$@"`;
    const wrapped = [...MOUNT_NAMESPACE, 'sh', '-c', mount, this.#mount, command, ...args];
    return { command: 'unshare', args: wrapped, ...(env === undefined ? {} : { env }) };
  }

  /** Writes until there is no room for another byte. `pid`: the program, whose disk only it sees. */
  fill(pid: number): void {
    for (let n = 0; ; n++) {
      try {
        writeFileSync(this.#filler(pid), CHUNK, { flag: 'a' });
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'ENOSPC' || n === 0) throw thrown;
        return;
      }
    }
  }

  clear(pid: number): void {
    rmSync(this.#filler(pid));
  }

  /** The database as the test can open it. */
  database(pid: number): string {
    return `/proc/${pid}/root${join(this.#mount, 'database')}`;
  }

  #filler(pid: number): string {
    return `/proc/${pid}/root${join(this.#mount, 'filler')}`;
  }
}
