/**
 * `?dryRun=true` on everything below /v1/vrouters that changes something. A route has it by itself: its handler runs as ever, with terms
 * that let its verb come no further than the checks (desired/dry-run.ts), and what it would do is answered in the place of its answer.
 */
import { dryRunQuery, previewReply } from '@vrouter/api/rest/preview.ts';
import type { FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify';
import { z } from 'zod';
import { DryRun } from '../desired/dry-run.ts';
import type { Desk } from '../desk/desk.ts';
import { Previews } from '../desk/preview.ts';
import type { App } from './app.ts';

const CHANGING: readonly string[] = ['POST', 'PATCH', 'DELETE'];

export function previewing(app: App, desk: Desk): void {
  const previews = new Previews(desk);
  app.addHook('onRoute', (route) => {
    if (!hasDryRun(route)) return;
    const { schema = {} } = route;
    const response = (schema.response ?? {}) as { readonly [status: string]: z.ZodType };
    const done = response[200];
    route.schema = {
      ...schema,
      // Strict: a misspelt dryRun must not be a change.
      querystring: z.strictObject({ ...(schema.querystring as z.ZodObject | undefined)?.shape, ...dryRunQuery.shape }),
      response: { ...response, 200: done === undefined ? previewReply : z.union([done, previewReply]) },
    };
    route.handler = dry(previews, route.handler);
  });
}

function hasDryRun({ method, url }: RouteOptions): boolean {
  return [method].flat().some((one) => CHANGING.includes(one)) && `${url}/`.startsWith('/v1/vrouters/');
}

/** Whether the request only asks what its change would do. */
export function isDryRun({ query }: FastifyRequest): boolean {
  return (query as { readonly dryRun?: string } | undefined)?.dryRun === 'true';
}

function dry(previews: Previews, handler: RouteHandlerMethod): RouteHandlerMethod {
  return async function (request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    if (!isDryRun(request)) return handler.call(this, request, reply);
    request.terms = { ...request.terms, dryRun: true };
    try {
      await handler.call(this, request, reply);
    } catch (thrown) {
      if (thrown instanceof DryRun) return reply.code(200).send(await previews.of(thrown));
      throw thrown;
    }
    throw new Error(`${request.method} ${request.routeOptions.url} did not stop at a dry run`);
  };
}
