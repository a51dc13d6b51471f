/** /v1/login: how people log in, and out */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { goneReply } from '@vrouter/api/rest/identity.ts';
import { deviceReply, loginOffer, loginReply, loginRequest } from '@vrouter/api/rest/login.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { sourceOf } from '../agents/listener.ts';
import type { Login } from '../login/login.ts';
import type { App } from './app.ts';
import { callerOf } from './callers.ts';

const tags = ['users'];
const refusals = { '4xx': errorReply, '5xx': errorReply };
/** An ID token and some. */
const BODY_MAX = 128 * 1024;

/** `login` null: nobody logs in here, and the routes say so. */
export function loginRoutes(app: App, login: Login | null): void {
  app.get(
    '/v1/login',
    {
      schema: {
        tags,
        summary: 'How people log in by OpenID Connect, with a nonce for one login',
        response: { 200: loginOffer, ...refusals },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'no-store');
      return login?.offer() ?? { oidc: null };
    },
  );

  app.post(
    '/v1/login',
    {
      bodyLimit: BODY_MAX,
      schema: {
        tags,
        summary: "Log in: a session for the provider's ID token",
        body: loginRequest,
        response: { 201: loginReply, ...refusals },
      },
    },
    async (request, reply) => {
      const from = { address: request.ip, source: sourceOf(request), keep: request.terms?.keep };
      const made = await offered(login).logIn(request.body, from);
      return reply.code(201).header('cache-control', 'no-store').send(made);
    },
  );

  app.post(
    '/v1/login/device',
    {
      schema: {
        tags,
        summary: 'Begin a login that a person completes on another machine',
        response: { 200: deviceReply, ...refusals },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return offered(login).beginDevice({ address: request.ip, source: sourceOf(request) });
    },
  );

  app.delete(
    '/v1/login',
    {
      schema: {
        tags,
        summary: 'Log out: the session whose token this is ends at once',
        response: { 200: goneReply, ...refusals },
      },
    },
    async (request) => {
      const caller = callerOf(request)!;
      await offered(login).logOut(caller);
      return { deleted: caller.token.id };
    },
  );
}

function offered(login: Login | null): Login {
  if (login !== null) return login;
  const hint = 'nobody logs in at this controller: it has no --oidc-issuer; ask for an API token';
  throw new ProblemError(problem('login.notOffered', hint));
}
