/**
 * Idempotency-Key: whoever creates under a key may send the same request again, whatever became of the first, and gets the answer of
 * the first. Answers are written in the transaction of the change, so that no crash parts them; refusals are not kept, since nothing
 * was done. Routes that create (201) have it by themselves: their verbs hand their answer to `keep`.
 */
import { canonicalJson } from '@vrouter/core/json.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify';
import { z } from 'zod';
import { sha256Hex } from '../ca/keys.ts';
import type { Desk } from '../desk/desk.ts';
import { findAnswer, keepAnswer } from '../store/answers.ts';
import { type App, actorOf } from './app.ts';
import { isDryRun } from './dry-run.ts';
import { seal, unseal } from './sealed.ts';

/** Answers can be had again for so long, ms. */
export const ANSWER_MEMORY_MS = 24 * 3_600_000;
const HEADER = 'idempotency-key';
const CREATED = 201;

const header = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'is 1 to 128 visible ASCII characters')
  .optional()
  .describe(
    '1 to 128 visible ASCII characters, fresh for each thing to be made: the same request under the same key within 24 hours is answered as the first one was, and nothing is made twice',
  );

export function creatingOnce(app: App, desk: Desk): void {
  const inFlight = new Set<string>();
  app.addHook('onRoute', (route) => {
    if (!creates(route)) return;
    // Loose, or the other headers would be lost.
    route.schema = { ...route.schema, headers: z.looseObject({ [HEADER]: header }) };
    route.handler = once(desk, inFlight, route.handler);
  });
}

function creates({ method, schema }: RouteOptions): boolean {
  return method === 'POST' && typeof schema?.response === 'object' && String(CREATED) in (schema.response as object);
}

function once(desk: Desk, inFlight: Set<string>, handler: RouteHandlerMethod): RouteHandlerMethod {
  return async function (request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const key = request.headers[HEADER];
    // Nothing is made by looking, so there is nothing to be made once.
    if (typeof key !== 'string' || isDryRun(request)) return handler.call(this, request, reply);
    const scope = sha256Hex(JSON.stringify([actorOf(request).name, request.method, request.url, key]));
    if (inFlight.has(scope)) throw isWorkedOn();
    inFlight.add(scope);
    try {
      const asked = sha256Hex(canonicalJson([key, request.body ?? null]));
      const since = desk.unixMs() - ANSWER_MEMORY_MS;
      const found = await findAnswer(desk.db, scope, since);
      if (found !== undefined) {
        if (found.request !== asked)
          throw new ProblemError(
            problem('request.keyReused', 'this Idempotency-Key was sent with another body; take a fresh one', HEADER),
          );
        reply.header('idempotency-replayed', 'true');
        return await reply.code(found.status).send(JSON.parse(unseal(key, scope, found.body)));
      }
      let kept = false;
      request.terms = {
        ...request.terms,
        keep: async (tx, answer) => {
          const body = seal(key, scope, JSON.stringify(answer));
          const row = { scope, request: asked, status: CREATED, body, atUnixMs: desk.unixMs() };
          // Another controller on the same store was faster; all of this is taken back.
          if (!(await keepAnswer(tx, row, since))) throw isWorkedOn();
          kept = true;
        },
      };
      const answer: unknown = await handler.call(this, request, reply);
      if (!kept)
        request.log.error({ route: request.routeOptions.url }, 'made under a key, but its answer was not kept');
      return answer;
    } finally {
      inFlight.delete(scope);
    }
  };
}

function isWorkedOn(): ProblemError {
  return new ProblemError(
    problem('request.inFlight', 'a request with this Idempotency-Key is being worked on; send it again', HEADER),
  );
}
