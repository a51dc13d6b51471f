/** /v1/vrouters/:name/floating-ips */
import { errorReply } from '@vrouter/api/rest/error.ts';
import {
  createFloatingIpReply,
  createFloatingIpRequest,
  floatingIpList,
  floatingIpReply,
} from '@vrouter/api/rest/floating-ips.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { z } from 'zod';
import type { Desk } from '../desk/desk.ts';
import { createFloatingIp, listFloatingIps, removeFloatingIp, showFloatingIp } from '../desk/floating-ips.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['NAT'];
const refusals = { '4xx': errorReply };
const params = vrouterParams.extend({ id: z.string().describe('What it is called') });

export function floatingIpRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters/:name/floating-ips',
    {
      schema: {
        tags,
        summary: 'Let an address of the gateway stand for an inside host as a whole, both ways',
        params: vrouterParams,
        body: createFloatingIpRequest,
        response: { 201: createFloatingIpReply, ...refusals },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await createFloatingIp(desk, actorOf(request), request.params.name, request.body)),
  );

  app.get(
    '/v1/vrouters/:name/floating-ips',
    {
      schema: {
        tags,
        summary: 'All floating addresses',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: floatingIpList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`floating-ips/${name}`, query, (page) => listFloatingIps(desk, name, page));
      return { floatingIps: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name/floating-ips/:id',
    { schema: { tags, summary: 'One floating address', params, response: { 200: floatingIpReply, ...refusals } } },
    async (request) => ({ floatingIp: showFloatingIp(desk, request.params.name, request.params.id) }),
  );

  app.delete(
    '/v1/vrouters/:name/floating-ips/:id',
    {
      schema: {
        tags,
        summary: 'Remove a floating address; its sessions end',
        params,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => removeFloatingIp(desk, actorOf(request), request.params.name, request.params.id),
  );
}
