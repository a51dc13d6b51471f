/** vrouter-controller, over REST. */
import { randomUUID } from 'node:crypto';
import { Agent as PlainAgent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../failure.ts';
import { type Ask, exchange, isLost, SilenceError } from '../http/request.ts';
import { tlsFailure } from '../http/trust.ts';
import { type Reply, readReply, type Schema } from './reply.ts';
import { type Credential, findToken, type TokenSources } from './token.ts';

export const DEFAULT_CONTROLLER = 'http://127.0.0.1:8080';
const TIMEOUT_MS = 15_000;
/** A controller that was killed needs a moment to listen again. */
const RETRY_AFTER_MS = 500;

export interface Controller {
  get<T>(path: string, schema: Schema<T>): Promise<Reply<T>>;
  post<T>(path: string, body: unknown, schema: Schema<T>): Promise<Reply<T>>;
  /** A POST that makes something: under a fresh key, so that it is sent once more when the connection breaks, and makes it once. */
  create<T>(path: string, body: unknown, schema: Schema<T>): Promise<Reply<T>>;
  /** `ifMatch`: the tag of what is to be changed, with or without quotes, or `*`. */
  patch<T>(path: string, body: unknown, schema: Schema<T>, ifMatch?: string): Promise<Reply<T>>;
  delete<T>(path: string, schema: Schema<T>, ifMatch?: string): Promise<Reply<T>>;
}

/**
 * `url` may have a path, which then stands before every other. Failure `usage` when it is no http or https URL, `config.invalid` when
 * the token that was named is none. `sources` null: nothing is shown of who asks. `roots`:
 * whose certificates are believed, PEM; null: the system's.
 */
export function controllerAt(url: string, sources: TokenSources | null, roots: readonly string[] | null): Controller {
  const origin = controllerUrl(url);
  const base = origin.pathname.replace(/\/+$/, '');
  const who = `the controller at ${url}`;
  const credential = sources === null ? null : findToken(sources, origin);
  // Connections are kept for the next call; idle ones keep no command from ending.
  const agent = new (origin.protocol === 'https:' ? TlsAgent : PlainAgent)({ keepAlive: true });
  async function ask<T>(
    method: Ask['method'],
    path: string,
    schema: Schema<T>,
    body?: unknown,
    headers: NonNullable<Ask['headers']> = {},
    triesLeft = 0,
  ): Promise<Reply<T>> {
    try {
      const whole = {
        method,
        path: base + path,
        headers,
        timeoutMs: TIMEOUT_MS,
        ...(credential === null ? {} : { token: credential.token }),
        ...(body === undefined ? {} : { body }),
      };
      return readReply(who, await exchange({ origin, roots, agent }, whole), schema);
    } catch (error) {
      if (triesLeft === 0 || !isLost(error)) throw unauthenticated(who, credential, unreachable(url, origin, error));
    }
    await delay(RETRY_AFTER_MS);
    return ask(method, path, schema, body, headers, triesLeft - 1);
  }
  return {
    get: (path, schema) => ask('GET', path, schema),
    post: (path, body, schema) => ask('POST', path, schema, body),
    create: (path, body, schema) => ask('POST', path, schema, body, { 'idempotency-key': randomUUID() }, 1),
    patch: (path, body, schema, ifMatch) => ask('PATCH', path, schema, body, conditions(ifMatch)),
    delete: (path, schema, ifMatch) => ask('DELETE', path, schema, undefined, conditions(ifMatch)),
  };
}

/** Failure `usage` when it is no http or https URL. */
export function controllerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.search === '' && url.hash === '') return url;
  const hint = `"${text}" is no URL of a controller; it looks like ${DEFAULT_CONTROLLER}`;
  throw new Failure('usage', hint, '--controller');
}

function conditions(ifMatch: string | undefined): NonNullable<Ask['headers']> {
  if (ifMatch === undefined) return {};
  return { 'if-match': ifMatch === '*' || ifMatch.includes('"') ? ifMatch : `"${ifMatch}"` };
}

/** `/v1/vrouters/a%2Fb/peers`: every part but the fixed ones is encoded. */
export function pathOf(strings: TemplateStringsArray, ...parts: readonly string[]): string {
  return strings.map((text, i) => text + (i < parts.length ? encodeURIComponent(parts[i]!) : '')).join('');
}

/** The controller says the same to everybody whose token is no good; we know which one it was. */
function unauthenticated(who: string, credential: Credential | null, error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== 'request.unauthenticated') return error;
  if (credential?.session != null)
    return new Failure(error.code, `${who} does not take ${credential.from} any more; log in again: vrouterctl login`);
  const how =
    'log in with vrouterctl login, or name one with --token-file FILE or in VROUTER_TOKEN; the first is in DIR/admin-token of the controller';
  const what = credential === null ? 'wants an API token' : `does not take the API token from ${credential.from}`;
  return new Failure(error.code, `${who} ${what}; ${how}`);
}

function unreachable(url: string, origin: URL, error: unknown): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof SilenceError) return new Failure('timeout', `the controller at ${url} did not answer in time`);
  const tls = tlsFailure(`the controller at ${url}`, origin, error);
  if (tls !== null) return tls;
  if (origin.protocol === 'http:' && isLost(error)) {
    const hint = `the controller at ${url} broke the connection; if it speaks TLS, ask it by https://`;
    return new Failure('controller.unreachable', hint);
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new Failure(
    'controller.unreachable',
    `cannot reach the controller at ${url} (${code}); start vrouter-controller (npm start runs a demo), or name it with --controller`,
  );
}
