/** /v1/vrouters */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import {
  changeVrouterReply,
  changeVrouterRequest,
  confirmShrinkReply,
  createVrouterReply,
  createVrouterRequest,
  deletedReply,
  revokeReply,
  vrouter,
  vrouterList,
  vrouterStatus,
} from '@vrouter/api/rest/vrouters.ts';
import { changeVrouter } from '../desk/change-vrouter.ts';
import type { Desk } from '../desk/desk.ts';
import { statusOfVrouter } from '../desk/status.ts';
import {
  confirmShrink,
  createVrouter,
  listVrouters,
  removeVrouter,
  revokeGateway,
  showVrouter,
} from '../desk/vrouters.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['vrouters'];
const refusals = { '4xx': errorReply };

export function vrouterRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters',
    {
      schema: {
        tags,
        summary: 'Make a virtual router and a join string for its gateway',
        body: createVrouterRequest,
        response: { 201: createVrouterReply, ...refusals },
      },
    },
    async (request, reply) => reply.code(201).send(await createVrouter(desk, actorOf(request), request.body)),
  );

  app.get(
    '/v1/vrouters',
    {
      schema: {
        tags,
        summary: 'All virtual routers and how they are, by name',
        querystring: pageQuery,
        response: { 200: vrouterList, ...refusals },
      },
    },
    async ({ query }) => {
      const { rows, next } = await paged('vrouters', query, (page) => listVrouters(desk, page));
      return { vrouters: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name',
    { schema: { tags, summary: 'One virtual router', params: vrouterParams, response: { 200: vrouter, ...refusals } } },
    async (request) => showVrouter(desk, request.params.name),
  );

  app.patch(
    '/v1/vrouters/:name',
    {
      schema: {
        tags,
        summary: 'Change it in place: the WireGuard interface, where peers find it, more networks; sessions go on',
        params: vrouterParams,
        body: changeVrouterRequest,
        response: { 200: changeVrouterReply, ...refusals },
      },
    },
    async (request) => changeVrouter(desk, actorOf(request), request.params.name, request.body),
  );

  app.delete(
    '/v1/vrouters/:name',
    {
      schema: {
        tags,
        summary: 'Remove a virtual router; its gateway is refused from then on',
        params: vrouterParams,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => {
      await removeVrouter(desk, actorOf(request), request.params.name);
      return { deleted: request.params.name, version: null };
    },
  );

  app.get(
    '/v1/vrouters/:name/status',
    {
      schema: {
        tags,
        summary: 'How the gateway is',
        params: vrouterParams,
        response: { 200: vrouterStatus, ...refusals },
      },
    },
    async (request) => {
      const head = desk.desired.get(request.params.name);
      return statusOfVrouter(head, desk.roster.of(head.row.id), desk.unixMs());
    },
  );

  app.post(
    '/v1/vrouters/:name/revoke',
    {
      schema: {
        tags,
        summary:
          'Refuse the gateway from now on, whatever certificate it has; it goes on forwarding with what it knows',
        params: vrouterParams,
        response: { 200: revokeReply, ...refusals },
      },
    },
    async (request) => ({ revoked: await revokeGateway(desk, actorOf(request), request.params.name) }),
  );

  app.post(
    '/v1/vrouters/:name/confirm-shrink',
    {
      schema: {
        tags,
        summary: 'Let the gateway remove what it holds back because it would remove a lot',
        params: vrouterParams,
        response: { 200: confirmShrinkReply, ...refusals },
      },
    },
    async (request) => ({ version: await confirmShrink(desk, actorOf(request), request.params.name) }),
  );
}
