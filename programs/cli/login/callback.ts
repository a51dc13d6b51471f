/**
 * Where the provider sends the browser back to: a listener on the loopback, for one answer (RFC 8252, section 7.3). Whoever else calls
 * there does not know the state and is sent away.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Failure } from '../failure.ts';

const PATH = '/callback';

export interface Callback extends AsyncDisposable {
  /** For the authorization request. */
  readonly redirectUri: string;
  /** The whole URL of the provider's answer to the request with that state. Failure `timeout` when `signal` aborts. */
  answer(state: string, signal: AbortSignal): Promise<URL>;
}

/** `port` 0 takes a free one; another is for providers that want to know it. Failure `port.inUse`. */
export async function listenForCallback(port: number): Promise<Callback> {
  let expected: { readonly state: string; readonly take: (url: URL) => void } | null = null;
  let origin = '';
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? '', origin);
    if (request.method !== 'GET' || url?.pathname !== PATH) return page(response, 404, 'There is nothing here.');
    if (expected === null || url.searchParams.get('state') !== expected.state)
      return page(response, 400, 'This is not the answer to the login that vrouterctl waits for.');
    page(response, 200, 'Back to the terminal: vrouterctl goes on there. This page can be closed.');
    expected.take(url);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Failure('port.inUse', `cannot listen on 127.0.0.1:${port} (${error.code})`, '--redirect-port')),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    redirectUri: origin + PATH,
    answer: (state, signal) =>
      new Promise((resolve, reject) => {
        expected = { state, take: resolve };
        const late = () => reject(new Failure('timeout', 'nobody logged in in time; start again'));
        if (signal.aborted) late();
        else signal.addEventListener('abort', late, { once: true });
      }),
    async [Symbol.asyncDispose]() {
      server.closeIdleConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function page(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  });
  response.end(`<!doctype html><title>vrouterctl</title><p>${text}</p>\n`);
}
