/** Turns whatever a handler threw into `{error: {code, message, field?}}` with the status of its code. */
import type { ErrorReply } from '@vrouter/api/rest/error.ts';
import { statusOf } from '@vrouter/api/status.ts';
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { ReplayError } from '../agents/poll.ts';

/** What is asked of whom a limit has met, and of whom something met that is away and may be back any moment; seconds. */
const RETRY_LIMITED_S = 30;
const RETRY_AWAY_S = 2;

/** Hears of every refusal; for the audit. */
export type OnRefusal = (request: FastifyRequest, why: Problem) => void;

/** What an app must be able to do; narrower than any particular Fastify, so that HTTP and HTTPS ones both fit. */
type App = Pick<FastifyInstance, 'setErrorHandler' | 'setNotFoundHandler'>;

export function answerErrors(app: unknown, onRefusal: OnRefusal = () => undefined): void {
  const fastify = app as App;
  fastify.setErrorHandler((thrown: FastifyError, request, reply) => {
    const why = problemOf(thrown);
    if (why.code === 'internal') request.log.error({ err: thrown, route: request.routeOptions.url }, 'request failed');
    // What went wrong inside is for the log, not for strangers.
    const shown =
      why.code === 'internal' ? problem('internal', 'this went wrong here; the log of the controller says more') : why;
    onRefusal(request, why);
    send(reply, shown, thrown instanceof ReplayError ? { nextNonce: thrown.nextNonce } : {});
  });
  fastify.setNotFoundHandler((request, reply) => {
    refuse(
      reply,
      problem('request.notFound', `there is no ${request.method} ${pathOf(request)}; /docs lists what there is`),
    );
  });
}

/** Answers with the problem, of which strangers may hear all. */
export function refuse(reply: FastifyReply, why: Problem): void {
  send(reply, why, {});
}

function send(reply: FastifyReply, why: Problem, more: { readonly nextNonce?: string }): void {
  const body: ErrorReply & typeof more = { error: why, ...more };
  // RFC 9110, section 11.6.1
  if (why.code === 'request.unauthenticated') reply.header('www-authenticate', 'Bearer realm="vrouter-controller"');
  const { http } = statusOf(why.code);
  // RFC 9110, section 10.2.3
  if (http === 429) reply.header('retry-after', String(RETRY_LIMITED_S));
  if (http === 503) reply.header('retry-after', String(RETRY_AWAY_S));
  reply.code(http).type('application/json; charset=utf-8').serializer(JSON.stringify).send(body);
}

function problemOf(thrown: FastifyError): Problem {
  if (thrown instanceof ProblemError) return thrown.problem;
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    const [first] = thrown.validation;
    const field = fieldOf(first!.instancePath, first!.params);
    const where = thrown.validationContext === 'querystring' ? 'query' : (thrown.validationContext ?? 'request');
    return problem('input.invalid', `${field ?? `the ${where}`}: ${first!.message ?? 'not as it should be'}`, field);
  }
  const status = thrown.statusCode ?? 500;
  if (status === 413) return problem('request.tooLarge', 'the request is too large');
  if (status >= 400 && status < 500)
    return problem('input.invalid', `${thrown.message}; send JSON as application/json`);
  return problem('internal', thrown.message);
}

/** `/peers/2/name` becomes `peers[2].name`. Of a field that is not known, its own name. */
function fieldOf(path: string, params: unknown): string | undefined {
  const keys = (params as { readonly keys?: readonly string[] } | undefined)?.keys;
  const parts = path.split('/').filter((part) => part !== '');
  if (keys?.[0] !== undefined) parts.push(keys[0]);
  if (parts.length === 0) return undefined;
  return parts
    .map((part, i) => (/^\d+$/.test(part) ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join('')
    .slice(0, 128);
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0]!.slice(0, 128);
}
