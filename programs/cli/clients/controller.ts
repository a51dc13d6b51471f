/** vrouter-controller, over REST. */
import { Failure } from '../failure.ts';
import { type Ask, exchange, SilenceError } from '../http/request.ts';
import { type Reply, readReply, type Schema } from './reply.ts';
import { type Credential, findToken, type TokenSources } from './token.ts';

export const DEFAULT_CONTROLLER = 'http://127.0.0.1:8080';
const TIMEOUT_MS = 15_000;

export interface Controller {
  get<T>(path: string, schema: Schema<T>): Promise<Reply<T>>;
  post<T>(path: string, body: unknown, schema: Schema<T>): Promise<Reply<T>>;
  patch<T>(path: string, body: unknown, schema: Schema<T>): Promise<Reply<T>>;
  delete<T>(path: string, schema: Schema<T>): Promise<Reply<T>>;
}

/**
 * `url` may have a path, which then stands before every other. Failure `usage` when it is no http or https URL, `config.invalid` when
 * the token that was named is none.
 */
export function controllerAt(url: string, sources: TokenSources): Controller {
  const origin = URL.canParse(url) ? new URL(url) : null;
  if (origin === null || !['http:', 'https:'].includes(origin.protocol) || origin.search !== '' || origin.hash !== '')
    throw new Failure(
      'usage',
      `"${url}" is no URL of a controller; it looks like ${DEFAULT_CONTROLLER}`,
      '--controller',
    );
  const base = origin.pathname.replace(/\/+$/, '');
  const who = `the controller at ${url}`;
  const credential = findToken(sources, origin);
  async function ask<T>(method: Ask['method'], path: string, schema: Schema<T>, body?: unknown): Promise<Reply<T>> {
    try {
      const whole = {
        method,
        path: base + path,
        timeoutMs: TIMEOUT_MS,
        ...(credential === null ? {} : { token: credential.token }),
        ...(body === undefined ? {} : { body }),
      };
      return readReply(who, await exchange({ origin: origin! }, whole), schema);
    } catch (error) {
      throw unauthenticated(who, credential, unreachable(url, error));
    }
  }
  return {
    get: (path, schema) => ask('GET', path, schema),
    post: (path, body, schema) => ask('POST', path, schema, body),
    patch: (path, body, schema) => ask('PATCH', path, schema, body),
    delete: (path, schema) => ask('DELETE', path, schema),
  };
}

/** `/v1/vrouters/a%2Fb/peers`: every part but the fixed ones is encoded. */
export function pathOf(strings: TemplateStringsArray, ...parts: readonly string[]): string {
  return strings.map((text, i) => text + (i < parts.length ? encodeURIComponent(parts[i]!) : '')).join('');
}

/** The controller says the same to everybody whose token is no good; we know which one it was. */
function unauthenticated(who: string, credential: Credential | null, error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== 'request.unauthenticated') return error;
  const how = 'name one with --token-file FILE or in VROUTER_TOKEN; the first is in DIR/admin-token of the controller';
  const what = credential === null ? 'wants an API token' : `does not take the API token from ${credential.from}`;
  return new Failure(error.code, `${who} ${what}; ${how}`);
}

function unreachable(url: string, error: unknown): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof SilenceError) return new Failure('timeout', `the controller at ${url} did not answer in time`);
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new Failure(
    'controller.unreachable',
    `cannot reach the controller at ${url} (${code}); start vrouter-controller (npm start runs a demo), or name it with --controller`,
  );
}
