/** The type of our REST application, and what its routes are handed. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Actor } from '../desk/actor.ts';
import type { Terms } from '../desk/terms.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request's headers ask of the change; null: nothing. */
    terms: Terms | null;
  }
}

import { callerOf } from './callers.ts';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse<IncomingMessage>,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export const vrouterParams = z.object({ name: z.string().describe('Name of the vrouter') });

/** The user of the token; of a request without a good one, `rest`. */
export function actorOf(request: FastifyRequest): Actor {
  const actor = callerOf(request)?.actor ?? { name: 'rest', tokenId: null, source: request.ip };
  return { ...actor, ...request.terms };
}
