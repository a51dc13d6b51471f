/** /v1/vrouters/:name/routes and /vrfs */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import {
  createRouteReply,
  createRouteRequest,
  createVrfReply,
  createVrfRequest,
  deleteRouteQuery,
  routeList,
  vrfList,
} from '@vrouter/api/rest/routes.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { z } from 'zod';
import type { Desk } from '../desk/desk.ts';
import { createRoute, createVrf, listRoutes, listVrfs, removeRoute, removeVrf } from '../desk/routes.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['routes'];
const refusals = { '4xx': errorReply };
const vrfParams = vrouterParams.extend({ vrf: z.string().describe('Name of the VRF') });

export function routeRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters/:name/routes',
    {
      schema: {
        tags,
        summary: 'Add a static route',
        params: vrouterParams,
        body: createRouteRequest,
        response: { 201: createRouteReply, ...refusals },
      },
    },
    async (request, reply) => {
      return reply.code(201).send(await createRoute(desk, actorOf(request), request.params.name, request.body));
    },
  );

  app.get(
    '/v1/vrouters/:name/routes',
    {
      schema: {
        tags,
        summary: 'Static routes, by VRF and prefix',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: routeList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`routes/${name}`, query, (page) => listRoutes(desk, name, page));
      return { routes: rows, next };
    },
  );

  app.delete(
    '/v1/vrouters/:name/routes',
    {
      schema: {
        tags,
        summary: 'Remove a static route',
        params: vrouterParams,
        querystring: deleteRouteQuery,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => {
      const { vrf, prefix } = request.query;
      const removed = await removeRoute(desk, actorOf(request), request.params.name, vrf, prefix);
      return { deleted: removed.prefix, version: removed.version };
    },
  );

  app.post(
    '/v1/vrouters/:name/vrfs',
    {
      schema: {
        tags,
        summary:
          'Add a VRF, for routes, NAT and host interfaces; `wg0` is in the one that `vrf` named when the vrouter was made',
        params: vrouterParams,
        body: createVrfRequest,
        response: { 201: createVrfReply, ...refusals },
      },
    },
    async (request, reply) => {
      return reply.code(201).send(await createVrf(desk, actorOf(request), request.params.name, request.body.name));
    },
  );

  app.get(
    '/v1/vrouters/:name/vrfs',
    {
      schema: {
        tags,
        summary: 'VRFs, `default` first',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: vrfList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`vrfs/${name}`, query, (page) => listVrfs(desk, name, page));
      return { vrfs: rows, next };
    },
  );

  app.delete(
    '/v1/vrouters/:name/vrfs/:vrf',
    {
      schema: {
        tags,
        summary: 'Remove a VRF that nothing is in',
        params: vrfParams,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => {
      const version = await removeVrf(desk, actorOf(request), request.params.name, request.params.vrf);
      return { deleted: request.params.vrf, version };
    },
  );
}
