/** /v1/whoami, /v1/users and /v1/api-tokens */
import { errorReply } from '@vrouter/api/rest/error.ts';
import {
  apiTokenList,
  apiTokenQuery,
  apiTokenReply,
  changeUserRequest,
  createApiTokenReply,
  createApiTokenRequest,
  createUserRequest,
  goneReply,
  removedUserReply,
  removeUserQuery,
  userList,
  userReply,
  whoamiReply,
} from '@vrouter/api/rest/identity.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import { z } from 'zod';
import { createApiToken, listApiTokens, revokeApiToken, showApiToken } from '../identity/api-tokens.ts';
import type { Identity } from '../identity/identity.ts';
import { changeUser, createUser, listUsers, removeUser, showUser } from '../identity/users.ts';
import { type App, actorOf } from './app.ts';
import { callerOf } from './callers.ts';
import { paged } from './cursor.ts';

const tags = ['users'];
const refusals = { '4xx': errorReply };
const userParams = z.object({ user: z.string().describe('Name of the user') });
const tokenParams = z.object({ id: z.string().describe('Id of the API token, eight characters') });

export function identityRoutes(app: App, identity: Identity): void {
  app.get(
    '/v1/whoami',
    {
      schema: { tags, summary: 'Whose token this is, and what it may do', response: { 200: whoamiReply, ...refusals } },
    },
    async (request) => {
      const { token, role } = callerOf(request)!;
      const { userName: user, userIssuer: issuer } = token;
      const apiToken = await showApiToken(identity, token.id);
      return { user, role, origin: apiToken.origin, issuer, apiToken };
    },
  );
  userRoutes(app, identity);
  tokenRoutes(app, identity);
}

function userRoutes(app: App, identity: Identity): void {
  app.post(
    '/v1/users',
    { schema: { tags, summary: 'Make a user', body: createUserRequest, response: { 201: userReply, ...refusals } } },
    async (request, reply) =>
      reply.code(201).send({ user: await createUser(identity, actorOf(request), request.body) }),
  );

  app.get(
    '/v1/users',
    {
      schema: {
        tags,
        summary: 'All users, by name',
        querystring: pageQuery,
        response: { 200: userList, ...refusals },
      },
    },
    async ({ query }) => {
      const { rows, next } = await paged('users', query, (page) => listUsers(identity, page));
      return { users: rows, next };
    },
  );

  app.get(
    '/v1/users/:user',
    { schema: { tags, summary: 'One user', params: userParams, response: { 200: userReply, ...refusals } } },
    async (request) => ({ user: await showUser(identity, request.params.user) }),
  );

  app.patch(
    '/v1/users/:user',
    {
      schema: {
        tags,
        summary: 'Give a user another role, or disable or enable it; its tokens follow at once',
        params: userParams,
        body: changeUserRequest,
        response: { 200: userReply, ...refusals },
      },
    },
    async (request) => ({ user: await changeUser(identity, actorOf(request), request.params.user, request.body) }),
  );

  app.delete(
    '/v1/users/:user',
    {
      schema: {
        tags,
        summary: 'Remove a user and its tokens; a person of a provider is shut out, or forgotten',
        params: userParams,
        querystring: removeUserQuery,
        response: { 200: removedUserReply, ...refusals },
      },
    },
    async (request) => {
      const { user } = request.params;
      return {
        deleted: user,
        shutOut: await removeUser(identity, actorOf(request), user, request.query.forget === 'true'),
      };
    },
  );
}

function tokenRoutes(app: App, identity: Identity): void {
  app.post(
    '/v1/api-tokens',
    {
      schema: {
        tags,
        summary: 'Make an API token for a user',
        body: createApiTokenRequest,
        response: { 201: createApiTokenReply, ...refusals },
      },
    },
    async (request, reply) => reply.code(201).send(await createApiToken(identity, actorOf(request), request.body)),
  );

  app.get(
    '/v1/api-tokens',
    {
      schema: {
        tags,
        summary: 'API tokens and how they are; not the tokens themselves, which nobody keeps',
        querystring: apiTokenQuery,
        response: { 200: apiTokenList, ...refusals },
      },
    },
    async ({ query }) => {
      const { user = null } = query;
      const list = user === null ? 'api-tokens' : `api-tokens/${user}`;
      const { rows, next } = await paged(list, query, (page) => listApiTokens(identity, user, page));
      return { apiTokens: rows, next };
    },
  );

  app.get(
    '/v1/api-tokens/:id',
    { schema: { tags, summary: 'One API token', params: tokenParams, response: { 200: apiTokenReply, ...refusals } } },
    async (request) => ({ apiToken: await showApiToken(identity, request.params.id) }),
  );

  app.delete(
    '/v1/api-tokens/:id',
    {
      schema: {
        tags,
        summary: 'Revoke an API token: it stops at once, and is listed as revoked for 30 days',
        params: tokenParams,
        response: { 200: goneReply, ...refusals },
      },
    },
    async (request) => {
      await revokeApiToken(identity, actorOf(request), request.params.id);
      return { deleted: request.params.id };
    },
  );
}
