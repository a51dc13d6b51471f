/** Says in the documentation which routes heed If-Match and If-None-Match; what they do is in etags.ts. */
import type { RouteOptions } from 'fastify';
import { z } from 'zod';
import type { App } from './app.ts';

const ifMatch = z
  .string()
  .max(4096)
  .optional()
  .describe(
    'Change it only if its `etag` is one of these, in quotes; otherwise 412 `request.outdated`. `*`: whatever it is',
  );
const ifNoneMatch = z
  .string()
  .max(4096)
  .optional()
  .describe('ETags of answers that the caller has: when this would be one of them, it is 304 without a body');

export function documentConditions(app: App): void {
  app.addHook('onRoute', (route) => {
    const headers = headersOf(route);
    if (headers !== null) route.schema = { ...route.schema, headers };
  });
}

function headersOf({ method, url, schema }: RouteOptions): z.ZodType | null {
  if (!url.startsWith('/v1/') || schema === undefined || schema.headers !== undefined) return null;
  // Loose, or the other headers would be lost.
  if (method === 'PATCH' || method === 'DELETE') return z.looseObject({ 'if-match': ifMatch });
  if (method === 'GET' && typeof schema.response === 'object') return z.looseObject({ 'if-none-match': ifNoneMatch });
  return null;
}
