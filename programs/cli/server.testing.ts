/** A real HTTP server with handlers of a test, on a unix socket or on loopback. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly url: string;
  /** Parsed JSON; undefined when there was none. */
  readonly body: unknown;
}

export interface Answering {
  readonly status?: number;
  readonly body: unknown;
}

/** Answers every request; a handler may also write the response itself and answer null. */
export type Handler = (seen: Seen, response: ServerResponse) => Answering | null;

export interface TestServer extends AsyncDisposable {
  /** `http://127.0.0.1:port`, or the socket's path. */
  readonly at: string;
  readonly seen: readonly Seen[];
  /** Of each request in `seen`. */
  readonly headers: readonly IncomingHttpHeaders[];
}

export async function serve(handler: Handler, socketPath?: string): Promise<TestServer> {
  const seen: Seen[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    void read(request).then((text) => {
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      const one = { method: request.method ?? '', url: request.url ?? '', body };
      headers.push(request.headers);
      seen.push(one);
      const answer = handler(one, response);
      if (answer === null) return;
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(socketPath, resolve);
  });
  return {
    at: socketPath ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    headers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return text;
}
