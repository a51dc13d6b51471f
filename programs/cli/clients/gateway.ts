/** vrouterd, over its unix socket. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TraceEvent, traceEvent, type WatchEvent, watchEvent } from '@vrouter/api/gateway/gateway.ts';
import { Failure } from '../failure.ts';
import { type Ask, exchange, open, readAll, SilenceError } from '../http/request.ts';
import { EventDecoder } from '../http/sse.ts';
import { type Reply, readReply, type Schema } from './reply.ts';

const TIMEOUT_MS = 10_000;
/** A change is answered when the plane has tried it, and perhaps to put back what was before. */
const CHANGE_TIMEOUT_MS = 40_000;

export interface Gateway {
  get<T>(path: string, schema: Schema<T>): Promise<Reply<T>>;
  post<T>(path: string, schema: Schema<T>): Promise<Reply<T>>;
  put<T>(path: string, body: object, schema: Schema<T>): Promise<Reply<T>>;
  /** Packets on their way until the signal aborts or the limits of the query are reached. `begun` is called once it looks. */
  trace(query: string, signal: AbortSignal, begun: () => void): AsyncIterable<Reply<TraceEvent>>;
  /** A capture file as it grows, likewise. `end` is told how many packets found no room. */
  capture(query: string, signal: AbortSignal, end: (lost: number) => void): AsyncIterable<Uint8Array>;
  /** Events until the signal aborts. Throws Failure when the daemon goes away. */
  watch(signal: AbortSignal): AsyncIterable<Reply<WatchEvent>>;
}

/** The socket when nobody names one: that of an `npm start` in this folder or in the clone, else where vrouterd has it when it is told no other. */
export function defaultSocket(cwd: string, clone: string): string {
  const own = [cwd, clone].map((folder) => join(folder, '.vrouter/gateway/vrouterd.sock'));
  return own.find((path) => existsSync(path)) ?? '/var/lib/vrouter/vrouterd.sock';
}

export function gatewayAt(socketPath: string): Gateway {
  const who = `vrouterd at ${socketPath}`;
  const place = { socketPath };
  async function ask<T>(what: Pick<Ask, 'method' | 'path' | 'body'>, schema: Schema<T>): Promise<Reply<T>> {
    const timeoutMs = what.method === 'PUT' ? CHANGE_TIMEOUT_MS : TIMEOUT_MS;
    try {
      return readReply(who, await exchange(place, { ...what, timeoutMs }), schema);
    } catch (error) {
      throw unreachable(socketPath, error);
    }
  }
  return {
    get: (path, schema) => ask({ method: 'GET', path }, schema),
    post: (path, schema) => ask({ method: 'POST', path }, schema),
    put: (path, body, schema) => ask({ method: 'PUT', path, body }, schema),
    async *trace(query, signal, begun) {
      try {
        const accept = 'text/event-stream';
        const message = await open(place, { method: 'GET', path: `/v1/trace${query}`, accept, timeoutMs: 0, signal });
        if (message.statusCode !== 200) readReply(who, await readAll(message), traceEvent);
        begun();
        const decoder = new EventDecoder();
        message.setEncoding('utf8');
        for await (const piece of message as AsyncIterable<string>)
          for (const text of decoder.push(piece)) yield readReply(who, { status: 200, text }, traceEvent);
      } catch (error) {
        if (!signal.aborted) throw cut(who, socketPath, error);
      }
    },
    async *capture(query, signal, end) {
      try {
        const accept = 'application/vnd.tcpdump.pcap, application/x-pcapng';
        const message = await open(place, { method: 'GET', path: `/v1/capture${query}`, accept, timeoutMs: 0, signal });
        if (message.statusCode !== 200) readReply(who, await readAll(message), traceEvent);
        yield* message as AsyncIterable<Uint8Array>;
        end(Number(message.trailers['x-lost'] ?? 0));
      } catch (error) {
        if (!signal.aborted) throw cut(who, socketPath, error);
      }
    },
    async *watch(signal) {
      try {
        const accept = 'text/event-stream';
        const message = await open(place, { method: 'GET', path: '/v1/watch', accept, timeoutMs: 0, signal });
        if (message.statusCode !== 200) readReply(who, await readAll(message), watchEvent);
        const decoder = new EventDecoder();
        message.setEncoding('utf8');
        for await (const piece of message as AsyncIterable<string>) {
          for (const text of decoder.push(piece)) yield readReply(who, { status: 200, text }, watchEvent);
        }
      } catch (error) {
        if (!signal.aborted) throw unreachable(socketPath, error);
      }
      if (!signal.aborted)
        throw new Failure('socket.unreachable', `${who} ended the stream; it was stopped or restarted`);
    },
  };
}

/** A stream that broke off is not one that nobody answered. */
function cut(who: string, socketPath: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code !== 'ECONNRESET' && code !== 'ERR_STREAM_PREMATURE_CLOSE') return unreachable(socketPath, error);
  return new Failure('socket.unreachable', `${who} broke off: it or the engine was stopped or restarted`);
}

function unreachable(socketPath: string, error: unknown): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof SilenceError) return new Failure('timeout', `vrouterd at ${socketPath} did not answer in time`);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EACCES' || code === 'EPERM')
    return new Failure(
      'socket.unreachable',
      `this user may not talk to ${socketPath}; ask as root or as the user that runs vrouterd`,
    );
  const why = code === 'ENOENT' ? 'there is no such socket' : `nobody answers there${code === '' ? '' : `: ${code}`}`;
  return new Failure(
    'socket.unreachable',
    `cannot reach vrouterd at ${socketPath} (${why}); start vrouterd (npm start runs a demo), or name its socket with --socket`,
  );
}
