/** wg(8) on this gateway's WireGuard interfaces: a socket for each, as the interfaces come and go. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Daemon } from '../../daemon.ts';
import { serveClient } from './connection.ts';
import { WG_FOLDER, type WgPlace, WgSockets } from './sockets.ts';

export class WgDoor {
  readonly #daemon: Daemon;
  readonly #sockets: WgSockets;

  constructor(daemon: Daemon, log: Logger) {
    this.#daemon = daemon;
    const folders = { shared: WG_FOLDER, own: join(daemon.config.dataFolder, 'wireguard') };
    this.#sockets = new WgSockets(folders, log, (name, client) => void serveClient(client, daemon, name, log));
  }

  /** Follows the daemon's interfaces from now on. Sockets that cannot be are logged, and hold back nothing. */
  async start(): Promise<void> {
    this.#daemon.devices.onChange((names) => void this.#sockets.set(names));
    await this.#sockets.set(this.#daemon.devices.names());
  }

  /** Where an interface's socket is; null while it has none. */
  place(name: string): WgPlace | null {
    return this.#sockets.place(name);
  }

  async stop(): Promise<void> {
    this.#daemon.devices.onChange(() => {});
    await this.#sockets.set([]);
  }
}
