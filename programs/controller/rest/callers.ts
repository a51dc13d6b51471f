/** Before anything of a request is read: who it comes from, and whether that one may. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { FastifyRequest } from 'fastify';
import { sourceOf } from '../agents/listener.ts';
import type { Caller, Identity } from '../identity/identity.ts';
import { suffices } from '../identity/roles.ts';
import type { App } from './app.ts';
import { needOf } from './roles.ts';

const callers = new WeakMap<FastifyRequest, Caller>();

/** Adds the look to all routes, also to paths that there are not. `metricsOpen`: whoever asks may read /metrics. */
export function requireCallers(app: App, identity: Identity, metricsOpen: boolean): void {
  app.addHook('onRequest', async (request) => {
    const { url } = request.routeOptions;
    // What is not there is not told to strangers either.
    const need = url === undefined ? 'viewer' : (needOf(request.method, url) ?? 'admin');
    if (need === 'open' || (metricsOpen && url === '/metrics')) return;
    const caller = await identity.authenticate({
      authorization: request.headers.authorization,
      address: request.ip,
      source: sourceOf(request),
      what: `${request.method} ${url ?? request.url.split('?')[0]}`,
    });
    callers.set(request, caller);
    if (suffices(caller.role, need)) return;
    const hint = `this needs the role ${need}; your token has the role ${caller.role}`;
    throw new ProblemError(problem('request.roleNeeded', hint));
  });
}

/** Who was let in; null of a route that is open to all. */
export function callerOf(request: FastifyRequest): Caller | null {
  return callers.get(request) ?? null;
}
