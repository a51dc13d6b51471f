/**
 * Unix sockets by name, one per interface: `NAME.sock` where wg(8) looks when that is ours to write, else in a folder of our own.
 * They come and go with the names; what a killed program left is replaced, what a living one answers at is left alone.
 */
import { accessSync, chmodSync, constants, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { toProblem } from '@vrouter/core/problem.ts';
import { prepareSocketPath } from '@vrouter/host/sockets/prepare.ts';
import type { Logger } from 'pino';

/** Where wg(8) looks. */
export const WG_FOLDER = '/var/run/wireguard';
/** Clients of one interface at once. */
const MAX_CLIENTS = 64;
/** Between two words in the log about clients that were cut off, ms: a program that leaves its connections open is told of once. */
const TELL_MS = 60_000;

export interface WgFolders {
  readonly shared: string;
  /** Of this daemon alone; made when it is needed. */
  readonly own: string;
}

/** Where an interface's socket is. `link`: the command that lets wg(8) find it; null when it does already. */
export interface WgPlace {
  readonly path: string;
  readonly link: string | null;
}

interface Open {
  readonly server: Server;
  readonly clients: Set<Socket>;
  readonly place: WgPlace;
}

/** Clients of an interface that were cut off and not told of yet. */
interface Crowd {
  untold: number;
  toldAt: number;
}

export class WgSockets {
  readonly #folders: WgFolders;
  readonly #serve: (name: string, client: Socket) => void;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #open = new Map<string, Open>();
  /** By interface. */
  readonly #crowds = new Map<string, Crowd>();
  #wanted: ReadonlySet<string> = new Set();
  #working: Promise<void> = Promise.resolve();

  /** `now`: ms, of a clock that never goes back. */
  constructor(
    folders: WgFolders,
    log: Logger,
    serve: (name: string, client: Socket) => void,
    now = () => performance.now(),
  ) {
    this.#folders = folders;
    this.#log = log;
    this.#serve = serve;
    this.#now = now;
  }

  place(name: string): WgPlace | null {
    return this.#open.get(name)?.place ?? null;
  }

  /** Makes these the interfaces that have a socket. Resolves when they have, or cannot. */
  async set(names: Iterable<string>): Promise<void> {
    this.#wanted = new Set(names);
    this.#working = this.#working.then(() => this.#settle());
    return this.#working;
  }

  async #settle(): Promise<void> {
    for (const [name, open] of this.#open) if (!this.#wanted.has(name)) await this.#close(name, open);
    for (const name of this.#wanted) {
      if (this.#open.has(name)) continue;
      const place = (await this.#listenShared(name)) ?? (await this.#listenOwn(name));
      if (place === null) continue;
      const hint = place.link === null ? {} : { asRoot: place.link };
      this.#log.info({ link: name, socket: place.path, ...hint }, 'wg(8) can be used on this interface');
    }
  }

  /** Null: not there, for whatever reason. */
  async #listenShared(name: string): Promise<WgPlace | null> {
    const { shared } = this.#folders;
    if (!isWritable(shared)) return null;
    const path = join(shared, `${name}.sock`);
    if (isOwnLink(path, this.#ownPath(name))) return null;
    if (isKernelWireguard(name)) {
      const why = 'the kernel has a WireGuard interface of this name, which the socket would hide from wg(8)';
      this.#log.warn({ link: name, socket: path }, why);
      return null;
    }
    return this.#listen(name, path, null);
  }

  async #listenOwn(name: string): Promise<WgPlace | null> {
    mkdirSync(this.#folders.own, { recursive: true, mode: 0o700 });
    const path = this.#ownPath(name);
    const there = join(this.#folders.shared, `${name}.sock`);
    const command = `mkdir -p ${this.#folders.shared} && ln -s ${shellWord(path)} ${this.#folders.shared}/`;
    return this.#listen(name, path, isOwnLink(there, path) ? null : command);
  }

  #ownPath(name: string): string {
    return join(this.#folders.own, `${name}.sock`);
  }

  async #listen(name: string, path: string, link: string | null): Promise<WgPlace | null> {
    const clients = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (client) => {
      this.#makeRoom(name, clients);
      clients.add(client);
      client.on('error', () => {});
      client.on('close', () => clients.delete(client));
      this.#serve(name, client);
    });
    try {
      await prepareSocketPath(path);
      await listening(server, path);
      chmodSync(path, 0o600);
    } catch (thrown) {
      const { code, message } = toProblem(thrown);
      this.#log.warn({ link: name, socket: path, code, why: message }, 'no socket for wg(8) here; left alone');
      return null;
    }
    server.on('error', (thrown) => this.#log.warn({ link: name, why: thrown.message }, 'socket of wg(8)'));
    const place = { path, link };
    this.#open.set(name, { server, clients, place });
    return place;
  }

  /** Who came first and does not read must not keep out who comes now: of those who do not read, else of all, the first goes. */
  #makeRoom(name: string, clients: Set<Socket>): void {
    if (clients.size < MAX_CLIENTS) return;
    let first: Socket | null = null;
    for (const client of clients) {
      first ??= client;
      if (client.writableLength === 0) continue;
      first = client;
      break;
    }
    this.#tellCrowd(name, clients.size);
    clients.delete(first!);
    first!.destroy();
  }

  #tellCrowd(name: string, clients: number): void {
    const crowd = this.#crowds.get(name) ?? { untold: 0, toldAt: Number.NEGATIVE_INFINITY };
    this.#crowds.set(name, crowd);
    crowd.untold++;
    const now = this.#now();
    if (now - crowd.toldAt < TELL_MS) return;
    const what = 'too many clients of wg at once: those stuck longest are cut off, and told of once a minute';
    this.#log.warn({ link: name, clients, cutOff: crowd.untold }, what);
    Object.assign(crowd, { untold: 0, toldAt: now });
  }

  /** Ends the clients too; Node takes the file away with the server. */
  async #close(name: string, { server, clients }: Open): Promise<void> {
    this.#open.delete(name);
    this.#crowds.delete(name);
    for (const client of clients) client.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** Nobody else may connect, not even for the moment before chmod. */
function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}

/** Whether it is there, or can be made, and is ours to write. */
function isWritable(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o755 });
  } catch {
    // It is there, or cannot be made; which of the two shows now.
  }
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether somebody has linked our own socket there. */
function isOwnLink(path: string, own: string): boolean {
  try {
    return resolve(dirname(path), readlinkSync(path)) === resolve(own);
  } catch {
    return false;
  }
}

function isKernelWireguard(name: string): boolean {
  try {
    return /^DEVTYPE=wireguard$/m.test(readFileSync(`/sys/class/net/${name}/uevent`, 'utf8'));
  } catch {
    return false;
  }
}

function shellWord(text: string): string {
  return /^[\w/.@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
