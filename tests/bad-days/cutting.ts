/** A TCP proxy between a gateway and its controller that cuts answers off in the middle, as a failing network does. TLS passes through it. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #to: number;
  /** Bytes of the next answers after which each connection is cut; nothing there: all pass. */
  #cuts: number[] = [];
  /** How many connections were cut. */
  done = 0;

  private constructor(to: number) {
    this.#to = to;
    this.#server = createServer((client) => this.#join(client));
  }

  static async to(port: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(port);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From now on: each connection, also those that there are, gives so many bytes of the controller more, and is cut. */
  cut(bytes: readonly number[]): void {
    this.#cuts = [...bytes];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const server = connect(this.#to, '127.0.0.1');
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
    }
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
    client.pipe(server);
    let left: number | undefined;
    server.on('data', (chunk: Buffer) => {
      left ??= this.#cuts.shift();
      if (left === undefined || chunk.length < left) {
        client.write(chunk);
        if (left !== undefined) left -= chunk.length;
        return;
      }
      this.done++;
      client.write(chunk.subarray(0, left), () => client.resetAndDestroy());
      server.destroy();
    });
  }
}
