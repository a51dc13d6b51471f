/** HTTP on the daemon's unix socket, for vrouterctl: views of what is, and the few verbs that are this host's own. */
import { chmodSync } from 'node:fs';
import { statusOf } from '@vrouter/api/status.ts';
import { type Problem, problem, toProblem } from '@vrouter/core/problem.ts';
import { prepareSocketPath } from '@vrouter/host/sockets/prepare.ts';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Daemon } from '../../daemon.ts';
import type { Metrics } from '../../metrics.ts';
import { VERSION } from '../../version.ts';
import type { Changes } from './intents/changes.ts';
import { addIntentRoutes } from './intents/routes.ts';
import { natView } from './nat.ts';
import { captureRoute, traceRoute } from './trace.ts';
import { interfaceRows, peerRows, planReply, routeRows, statsReply, statusReply, type WgPlaceOf } from './views.ts';

/** Neighbours in one answer: as many as the engine tells at once. */
const NEIGHBOURS = 1000;

/** Builds the server; `listen` opens it. */
export function localServer(daemon: Daemon, changes: Changes, metrics: Metrics, wgPlace: WgPlaceOf): FastifyInstance {
  const server = bareServer();
  server.get('/v1/version', () => ({ version: VERSION, node: process.version, pid: process.pid }));
  server.get('/v1/status', () => statusReply(daemon));
  server.get('/v1/controller', () => daemon.agent.status());
  server.get('/v1/interfaces', async () => ({ interfaces: await interfaceRows(daemon, wgPlace) }));
  server.get('/v1/peers', async () => ({ peers: await peerRows(daemon) }));
  server.get('/v1/routes', () => ({ routes: routeRows(daemon) }));
  server.get('/v1/nat', () => natView(daemon));
  server.get('/v1/neighbours', () => daemon.neighbours(NEIGHBOURS));
  server.get('/v1/stats', () => statsReply(daemon));
  server.get('/v1/plan', () => planReply(daemon));
  server.post('/v1/plan/confirm', () => daemon.confirmHeld());
  server.post('/v1/certificate/renew', () => daemon.agent.renewCertificate());
  server.post('/v1/engine/stop', () => daemon.stopEngine());
  server.post('/v1/engine/start', () => daemon.startEngine());
  addIntentRoutes(server, daemon, changes);
  server.get('/metrics', async (_request, reply) => {
    await metrics.update(daemon);
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  server.get('/v1/trace', (request, reply) => traceRoute(daemon, request, reply));
  server.get('/v1/capture', (request, reply) => captureRoute(daemon, request, reply));
  server.get('/v1/watch', (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    reply.raw.flushHeaders();
    const stop = daemon.events.watch((event) => {
      // A watcher that does not read is let go rather than remembered for.
      if (!reply.raw.write(`data: ${JSON.stringify(event)}\n\n`)) reply.raw.destroy();
    });
    request.raw.on('close', stop);
  });
  return server;
}

/** A server without a verb, which refuses in the form of all. */
export function bareServer(): FastifyInstance {
  const server = fastify({
    forceCloseConnections: true,
    // A path that no handler is asked about, as one with %zz in it.
    frameworkErrors(_thrown, request, reply: FastifyReply) {
      const error = problem('input.invalid', `${request.url} is no path: write % as %25`);
      void reply.code(statusOf(error.code).http).send({ error });
    },
    clientErrorHandler(_error, socket) {
      const error = problem('input.invalid', 'this is not an HTTP request');
      const body = JSON.stringify({ error });
      if (socket.writable)
        socket.end(
          `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
    },
  });
  // Everything here is JSON; a text would be an object that is none.
  server.removeContentTypeParser('text/plain');
  server.setErrorHandler((thrown, _request, reply) => {
    const error = badRequest(thrown) ?? toProblem(thrown);
    void reply.code(statusOf(error.code).http).send({ error });
  });
  server.setNotFoundHandler((request, reply) => {
    const error = problem('request.notFound', `there is no ${request.method} ${request.url} here`);
    void reply.code(statusOf(error.code).http).send({ error });
  });
  return server;
}

/** What the server itself has against a request: its length, its JSON, its type. Null: it came from within. */
function badRequest(thrown: unknown): Problem | null {
  const status = thrown instanceof Error && 'statusCode' in thrown ? Number(thrown.statusCode) : 0;
  if (status === 415) return problem('input.invalid', 'say what is sent: JSON, with "content-type: application/json"');
  if (status === 413) return problem('request.tooLarge', 'this is too much for one request: send it in parts');
  return status >= 400 && status < 500 ? problem('input.invalid', (thrown as Error).message) : null;
}

/** Opens the server at `path`, mode 0600. Throws ProblemError `port.inUse` when another daemon answers there. */
export async function listen(server: FastifyInstance, path: string): Promise<void> {
  await prepareSocketPath(path);
  const umask = process.umask(0o177);
  try {
    await server.listen({ path });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
}
