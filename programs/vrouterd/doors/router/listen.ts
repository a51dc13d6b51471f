/** Where clients come in: VSOCK from contexts that are allowed, a unix socket of the owner's, TCP of this machine alone. */
import { chmodSync } from 'node:fs';
import { constants, createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { prepareSocketPath } from '@vrouter/host/sockets/prepare.ts';
import { listenVsock, type VsockListener } from '@vrouter/host/vsock/listen.ts';
import type { Logger } from 'pino';
import type { Http2Handler } from './grpc.ts';
import type { RouterPlaces, TcpPlace } from './places.ts';

/** Of one connection, in HTTP/2 itself: headers, and answers that its client does not read. What comes in is room.ts. */
const SESSION_MEGABYTES = 16;
/** Calls of one connection at once; clients keep further ones to themselves until there is room. */
const STREAMS = 256;
/** Connections to one place at once; clients have one each. */
export const CONNECTIONS = 64;
/** How long calls may take to their end when the door closes, ms. */
const LAST_CALLS_MS = 2000;

export class RouterListeners {
  readonly #handler: Http2Handler;
  readonly #log: Logger;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly servers: Http2Server[] = [];
  #vsock: VsockListener | null = null;
  /** Of TCP, when it listens. */
  port: number | null = null;
  vsockPort: number | null = null;

  constructor(handler: Http2Handler, log: Logger) {
    this.#handler = handler;
    this.#log = log;
  }

  /** Opens all, or none. Rejects with ProblemError `port.inUse`, `port.denied`, `input.invalid`, `data.unwritable`. */
  async open(places: RouterPlaces): Promise<void> {
    try {
      if (places.vsockPort !== null) this.#openVsock(places.vsockPort, places.allowedCids);
      if (places.socket !== null) await this.#openSocket(places.socket);
      if (places.tcp !== null) await this.#openTcp(places.tcp);
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
  }

  #openVsock(port: number, allowedCids: readonly number[]): void {
    const server = this.#server();
    this.#vsock = listenVsock(
      { port, allowedCids },
      {
        connected: (stream) => {
          // Its session tells of it, if it has ended otherwise than it should.
          stream.on('error', () => {});
          server.emit('connection', stream);
        },
        refused: (cid) => this.#log.warn({ cid, allowedCids }, 'a connection from another context was closed'),
      },
    );
    this.vsockPort = this.#vsock.port;
  }

  async #openSocket(path: string): Promise<void> {
    await prepareSocketPath(path);
    const server = this.#server();
    // Nobody else may connect, not even for the moment before chmod.
    const umask = process.umask(0o177);
    try {
      await listening(server, { path }, path);
    } finally {
      process.umask(umask);
    }
    chmodSync(path, 0o600);
  }

  async #openTcp({ address, port }: TcpPlace): Promise<void> {
    const server = this.#server();
    await listening(server, { host: address, port }, `${address}:${port}`);
    const bound = server.address();
    this.port = typeof bound === 'object' && bound !== null ? bound.port : null;
  }

  #server(): Http2Server {
    const server = createServer(
      { maxSessionMemory: SESSION_MEGABYTES, settings: { maxConcurrentStreams: STREAMS } },
      this.#handler,
    );
    const here = new Set<ServerHttp2Session>();
    let isTold = false;
    server.on('session', (session) => {
      if (here.size >= CONNECTIONS) {
        if (!isTold) this.#log.warn({ connections: CONNECTIONS }, 'a place is full: further connections are closed');
        isTold = true;
        session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
        return;
      }
      here.add(session);
      this.#sessions.add(session);
      session.on('close', () => {
        here.delete(session);
        this.#sessions.delete(session);
        isTold = false;
      });
    });
    server.on('sessionError', (thrown: Error) => this.#log.debug({ why: thrown.message }, 'a connection has failed'));
    server.on('error', (thrown) => this.#log.warn({ why: thrown.message }, 'a listener of the router service'));
    this.servers.push(server);
    return server;
  }

  /** Takes no more calls, and lets those that run come to their end. Safe to call again. */
  async close(): Promise<void> {
    this.#vsock?.close();
    this.#vsock = null;
    const closed = this.servers
      .splice(0)
      .map((server) => new Promise<void>((resolve) => (server.listening ? server.close(() => resolve()) : resolve())));
    const ended = [...this.#sessions].map((session) => {
      // A server that closes has told its sessions so already, and then `close` says nothing of their end.
      const end = new Promise<void>((resolve) => session.once('close', resolve));
      session.close();
      return end;
    });
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, LAST_CALLS_MS);
    await Promise.all([...closed, ...ended]);
    clearTimeout(timer);
  }
}

function listening(server: Http2Server, place: { path: string } | { host: string; port: number }, name: string) {
  return new Promise<void>((resolve, reject) => {
    const failed = (thrown: NodeJS.ErrnoException): void => reject(new ProblemError(listenProblem(thrown, name)));
    server.once('error', failed);
    server.listen(place, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

function listenProblem({ code, message }: NodeJS.ErrnoException, name: string) {
  switch (code) {
    case 'EADDRINUSE':
      return problem('port.inUse', `${name} is in use: stop the program that listens there, or choose another place`);
    case 'EACCES':
    case 'EPERM':
      return problem('port.denied', `this user may not listen on ${name}: choose another place, or start it as root`);
    default:
      return problem('port.denied', `nobody can listen on ${name}: ${message}`);
  }
}
