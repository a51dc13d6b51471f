/** /v1/vrouters/:name/host-interfaces */
import { errorReply } from '@vrouter/api/rest/error.ts';
import {
  createHostInterfaceReply,
  createHostInterfaceRequest,
  hostInterfaceList,
  hostInterfaceReply,
} from '@vrouter/api/rest/host-interfaces.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { z } from 'zod';
import type { Desk } from '../desk/desk.ts';
import {
  createHostInterface,
  listHostInterfaces,
  removeHostInterface,
  showHostInterface,
} from '../desk/host-interfaces.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['host interfaces'];
const refusals = { '4xx': errorReply };
const params = vrouterParams.extend({ interface: z.string().describe('Name of the interface') });

export function hostInterfaceRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters/:name/host-interfaces',
    {
      schema: {
        tags,
        summary: "Give the gateway's own machine an interface into a VRF",
        description:
          'The gateway obeys only if its own configuration says `allow: {hostInterface: true}`; otherwise it tells `intent.refused`, which is then `problem` here.',
        params: vrouterParams,
        body: createHostInterfaceRequest,
        response: { 201: createHostInterfaceReply, ...refusals },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await createHostInterface(desk, actorOf(request), request.params.name, request.body)),
  );

  app.get(
    '/v1/vrouters/:name/host-interfaces',
    {
      schema: {
        tags,
        summary: 'All host interfaces',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: hostInterfaceList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`host-interfaces/${name}`, query, (page) =>
        listHostInterfaces(desk, name, page),
      );
      return { hostInterfaces: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name/host-interfaces/:interface',
    { schema: { tags, summary: 'One host interface', params, response: { 200: hostInterfaceReply, ...refusals } } },
    async (request) => ({ hostInterface: showHostInterface(desk, request.params.name, request.params.interface) }),
  );

  app.delete(
    '/v1/vrouters/:name/host-interfaces/:interface',
    {
      schema: {
        tags,
        summary: 'Remove a host interface that nothing goes by',
        params,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => removeHostInterface(desk, actorOf(request), request.params.name, request.params.interface),
  );
}
