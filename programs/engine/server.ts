/**
 * The engine's control socket: many clients, each served one request at a time. A client that does not read its replies is not read
 * from either, so what it can make us hold is one request, one page of a reply and what the kernel holds.
 */
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as pause } from 'node:timers/promises';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { encodeFrame, FrameDecoder } from '@vrouter/engine/control/frame.ts';
import type { Hello } from '@vrouter/engine/control/messages.ts';
import { type ControlSession, type Outcome, tooMany } from '@vrouter/engine/control/session.ts';
import { Streams } from '@vrouter/engine/control/streams.ts';
import type { WatchTarget } from '@vrouter/engine/trace/watching.ts';
import type { Logger } from 'pino';

/** Clients at once: a daemon, a few command lines, and room for mistakes. */
const MAX_CLIENTS = 64;
/** How long a client may take to read the last words before its connection is cut. */
const LINGER_MS = 1000;

export interface ControlServerOptions {
  readonly path: string;
  readonly session: ControlSession;
  /** Who serves traces and captures. */
  readonly target: WatchTarget;
  readonly hello: Hello;
  readonly log: Logger;
  /** A client asked the engine to end; the reply is on its way. */
  readonly onStop: () => void;
}

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #server: Server;
  readonly #clients: Set<Socket>;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#clients = new Set();
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens with mode 0600. Rejects with ProblemError `port.inUse` or `data.unwritable`. The path must be free (`prepareSocketPath`). */
  async start(): Promise<void> {
    const { path } = this.#options;
    // The mode is there from the first moment: chmod alone would leave a gap.
    const before = process.umask(0o177);
    try {
      this.#server.listen(path);
      await once(this.#server, 'listening');
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE') throw new ProblemError(problem('port.inUse', `${path} is in use`, 'socket'));
      throw new ProblemError(problem('data.unwritable', `cannot listen on ${path}: ${message}`, 'socket'));
    } finally {
      process.umask(before);
    }
    await chmod(path, 0o600);
  }

  /** Stops listening and gives clients a moment to take their last replies. Safe to call again. */
  async stop(): Promise<void> {
    for (const socket of this.#clients) this.#hangUp(socket);
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
    await rm(this.#options.path, { force: true });
  }

  #accept(socket: Socket): void {
    const { log, hello } = this.#options;
    // A client that goes away in the middle of anything is an ordinary event.
    socket.on('error', (error) => log.debug({ err: error }, 'control client failed'));
    if (this.#clients.size >= MAX_CLIENTS) {
      log.warn({ limit: MAX_CLIENTS }, 'control client refused');
      socket.end(encodeFrame(tooMany(MAX_CLIENTS)));
      socket.resume();
      return;
    }
    this.#clients.add(socket);
    socket.once('close', () => this.#clients.delete(socket));
    socket.write(encodeFrame(hello));
    log.debug({ clients: this.#clients.size }, 'control client connected');
    this.#serve(socket).catch((error: unknown) => {
      log.debug({ err: error }, 'control client ended');
      socket.destroy();
    });
  }

  async #serve(socket: Socket): Promise<void> {
    const { session, log, onStop } = this.#options;
    const decoder = new FrameDecoder();
    const streams = this.#streams(socket);
    for await (const chunk of socket) {
      decoder.push(chunk as Buffer);
      for (let message = decoder.next(); message !== null; message = decoder.next()) {
        const outcome = message.ok ? await session.handle(message.value, streams) : session.refuse(message.error);
        if (!(await send(socket, outcome))) return;
        if (outcome.next === 'continue') continue;
        if (outcome.next === 'stop') onStop();
        else log.warn('control client refused: it does not speak the protocol');
        this.#hangUp(socket);
        return;
      }
    }
  }

  /** Traces and captures of a client; they end with the connection. Their rows go out beside the replies, and wait while it is full. */
  #streams(socket: Socket): Streams {
    const streams = new Streams(this.#options.target, {
      send: (reply) => socket.destroyed || socket.writableEnded || socket.write(encodeFrame(reply)),
      soon: (callback) => void setImmediate(callback),
      after(ms, callback) {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
    });
    socket.on('drain', () => streams.drained());
    socket.once('close', () => streams.close());
    return streams;
  }

  /** Ends the connection behind what is still to be sent, and cuts it when that takes too long. */
  #hangUp(socket: Socket): void {
    socket.end();
    socket.resume();
    const cut = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(cut));
  }
}

/** Sends replies at the pace of the reader. False when it has gone. */
async function send(socket: Socket, outcome: Outcome): Promise<boolean> {
  for (const reply of outcome.replies) {
    if (socket.destroyed) return false;
    const isText = reply instanceof Uint8Array;
    if (socket.write(isText ? reply : encodeFrame(reply))) {
      if (isText) await pause();
      continue;
    }
    const gone = new AbortController();
    const close = (): void => gone.abort();
    socket.once('close', close);
    try {
      await once(socket, 'drain', { signal: gone.signal });
    } catch {
      return false;
    } finally {
      socket.off('close', close);
    }
  }
  return true;
}
