/** /v1/vrouters/:name/tokens */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { createTokenReply, createTokenRequest, joinTokenList } from '@vrouter/api/rest/join-tokens.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { z } from 'zod';
import type { Desk } from '../desk/desk.ts';
import { createToken, listTokens, removeToken } from '../desk/join-tokens.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['vrouters'];
const refusals = { '4xx': errorReply };
const tokenParams = vrouterParams.extend({ id: z.string().describe('Id of the join token, eight characters') });

export function joinTokenRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters/:name/tokens',
    {
      // The body may be left out; then there is nothing to parse.
      preValidation: async (request) => {
        request.body ??= createTokenRequest.parse({});
      },
      schema: {
        tags,
        summary: 'Make another join string; the gateway that uses it takes the place of the one there is',
        params: vrouterParams,
        body: createTokenRequest,
        response: { 201: createTokenReply, ...refusals },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await createToken(desk, actorOf(request), request.params.name, request.body)),
  );

  app.get(
    '/v1/vrouters/:name/tokens',
    {
      schema: {
        tags,
        summary: 'Join tokens and how they are, as they were made; not the strings themselves, which nobody keeps',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: joinTokenList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`tokens/${name}`, query, (page) => listTokens(desk, name, page));
      return { tokens: rows, next };
    },
  );

  app.delete(
    '/v1/vrouters/:name/tokens/:id',
    {
      schema: {
        tags,
        summary: 'Revoke a join token: nobody joins with it any more; a gateway that has stays',
        params: tokenParams,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => {
      const { name, id } = request.params;
      await removeToken(desk, actorOf(request), name, id);
      return { deleted: id, version: null };
    },
  );
}
