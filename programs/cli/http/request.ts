/** One HTTP request over TCP, TLS or a unix socket. */
import { type Agent, type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';

/** Where a server is: a unix socket, or a URL without a path, with what keeps connections to it (of its protocol). */
export type Place =
  | { readonly socketPath: string }
  /** `roots`: over TLS these alone are believed, PEM; null: those of the system. */
  | { readonly origin: URL; readonly roots: readonly string[] | null; readonly agent?: Agent };

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, encoded; sent as it stands. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly accept?: string;
  /** Others besides, by their lower-case names. */
  readonly headers?: { readonly [name: string]: string };
  /** Shown as `Authorization: Bearer`. */
  readonly token?: string;
  /** Longest silence before and within the answer, ms; 0 waits for ever. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Longest answer that is read, bytes. */
const ANSWER_LIMIT = 64 << 20;

/** Whether the connection broke, so that nobody knows what became of the request. */
export function isLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

/** A request that was silent for too long. */
export class SilenceError extends Error {}

/** The answer's head; the body is the caller's to read. Rejects with what node:net says, or SilenceError. */
export function open(place: Place, ask: Ask): Promise<IncomingMessage> {
  const body = ask.body === undefined ? undefined : JSON.stringify(ask.body);
  const options: RequestOptions = {
    ...('socketPath' in place
      ? { socketPath: place.socketPath, host: 'localhost' }
      : {
          host: place.origin.hostname.replace(/^\[(.*)\]$/, '$1'),
          port: place.origin.port === '' ? (place.origin.protocol === 'https:' ? 443 : 80) : place.origin.port,
          ...(place.roots === null ? {} : { ca: [...place.roots] }),
        }),
    agent: ('origin' in place ? place.agent : undefined) ?? false,
    ...(ask.signal === undefined ? {} : { signal: ask.signal }),
    method: ask.method,
    path: ask.path,
    headers: {
      ...ask.headers,
      accept: ask.accept ?? 'application/json',
      ...(ask.token === undefined ? {} : { authorization: `Bearer ${ask.token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    },
  };
  const send = 'origin' in place && place.origin.protocol === 'https:' ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const sent = send(options, resolve);
    sent.on('error', reject);
    sent.setTimeout(ask.timeoutMs, () => sent.destroy(new SilenceError('no answer')));
    sent.end(body);
  });
}

/** The whole answer. */
export async function exchange(place: Place, ask: Ask): Promise<Answer> {
  return readAll(await open(place, ask));
}

/** What follows the head. */
export async function readAll(message: IncomingMessage): Promise<Answer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > ANSWER_LIMIT) throw new RangeError('the answer is too long');
    chunks.push(chunk);
  }
  return { status: message.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}
