/** /v1/vrouters/:name/ports */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import { createPortReply, createPortRequest, portList, portReply } from '@vrouter/api/rest/ports.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { z } from 'zod';
import type { Desk } from '../desk/desk.ts';
import { createPort, listPorts, removePort, showPort } from '../desk/ports.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['ports'];
const refusals = { '4xx': errorReply };
const params = vrouterParams.extend({ port: z.string().describe('Name of the port') });

export function portRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters/:name/ports',
    {
      schema: {
        tags,
        summary: "Give the vrouter a port into an Ethernet of the gateway's own machine",
        description:
          'The gateway obeys only if its own configuration says `allow: {port: true}`; otherwise it tells `intent.refused`, which is then `problem` here.',
        params: vrouterParams,
        body: createPortRequest,
        response: { 201: createPortReply, ...refusals },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await createPort(desk, actorOf(request), request.params.name, request.body)),
  );

  app.get(
    '/v1/vrouters/:name/ports',
    {
      schema: {
        tags,
        summary: 'All ports',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: portList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`ports/${name}`, query, (page) => listPorts(desk, name, page));
      return { ports: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name/ports/:port',
    { schema: { tags, summary: 'One port', params, response: { 200: portReply, ...refusals } } },
    async (request) => ({ port: showPort(desk, request.params.name, request.params.port) }),
  );

  app.delete(
    '/v1/vrouters/:name/ports/:port',
    {
      schema: {
        tags,
        summary: 'Remove a port that nothing goes by, with its addresses',
        params,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => removePort(desk, actorOf(request), request.params.name, request.params.port),
  );
}
