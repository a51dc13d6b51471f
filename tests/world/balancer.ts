/** What stands before several controllers in a data centre: takes TCP connections and hands each on to the next server that answers. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Balancer {
  /** More may be added while it runs. */
  readonly #ports: readonly number[];
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** Connections that each port was given so far. */
  readonly given = new Map<number, number>();
  #next = 0;

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#server = createServer((client) => void this.#handOn(client));
  }

  /** `ports`: of the servers, on the loopback. Listens on a free port of it. */
  static async start(ports: readonly number[]): Promise<Balancer> {
    const balancer = new Balancer(ports);
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open to a port. */
  openTo(port: number): number {
    return [...this.#open].filter((socket) => socket.remotePort === port).length;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  async #handOn(client: Socket): Promise<void> {
    client.on('error', () => client.destroy());
    for (let tries = 0; tries < this.#ports.length; tries++) {
      const port = this.#ports[this.#next++ % this.#ports.length]!;
      const server = connect(port, '127.0.0.1');
      try {
        await once(server, 'connect');
      } catch {
        continue;
      }
      this.given.set(port, (this.given.get(port) ?? 0) + 1);
      for (const socket of [client, server]) {
        this.#open.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          this.#open.delete(socket);
          client.destroy();
          server.destroy();
        });
      }
      client.pipe(server).pipe(client);
      return;
    }
    client.destroy();
  }
}
