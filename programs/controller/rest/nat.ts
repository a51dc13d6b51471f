/** /v1/vrouters/:name/masquerades and /published-ports */
import { errorReply } from '@vrouter/api/rest/error.ts';
import {
  createMasqueradeReply,
  createMasqueradeRequest,
  createPublishedPortReply,
  createPublishedPortRequest,
  masqueradeList,
  masqueradeReply,
  publishedPortList,
  publishedPortReply,
} from '@vrouter/api/rest/nat.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { z } from 'zod';
import type { Desk } from '../desk/desk.ts';
import {
  createMasquerade,
  createPublishedPort,
  listMasquerades,
  listPublishedPorts,
  removeMasquerade,
  removePublishedPort,
  showMasquerade,
  showPublishedPort,
} from '../desk/nat.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['NAT'];
const refusals = { '4xx': errorReply };
const masqueradeParams = vrouterParams.extend({
  vrf: z.string().describe('Name of the VRF'),
  prefix: z.string().describe('Prefix, percent-encoded'),
});
const portParams = vrouterParams.extend({
  vrf: z.string().describe('Name of the VRF'),
  hostAddress: z.string().describe('As it was published; `*` for every address'),
  protocol: z.string().describe('tcp or udp'),
  hostPort: z.string().describe('The first port'),
});

export function natRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters/:name/masquerades',
    {
      schema: {
        tags,
        summary: 'Let sources of a prefix leave under another address',
        params: vrouterParams,
        body: createMasqueradeRequest,
        response: { 201: createMasqueradeReply, ...refusals },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await createMasquerade(desk, actorOf(request), request.params.name, request.body)),
  );

  app.get(
    '/v1/vrouters/:name/masquerades',
    {
      schema: {
        tags,
        summary: 'All masquerades',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: masqueradeList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`masquerades/${name}`, query, (page) => listMasquerades(desk, name, page));
      return { masquerades: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name/masquerades/:vrf/:prefix',
    {
      schema: {
        tags,
        summary: 'One masquerade',
        params: masqueradeParams,
        response: { 200: masqueradeReply, ...refusals },
      },
    },
    async ({ params: { name, vrf, prefix } }) => ({ masquerade: showMasquerade(desk, name, vrf, prefix) }),
  );

  app.delete(
    '/v1/vrouters/:name/masquerades/:vrf/:prefix',
    {
      schema: {
        tags,
        summary: 'Remove a masquerade; its sessions end',
        params: masqueradeParams,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => {
      const { name, vrf, prefix } = request.params;
      return removeMasquerade(desk, actorOf(request), name, vrf, prefix);
    },
  );

  app.post(
    '/v1/vrouters/:name/published-ports',
    {
      schema: {
        tags,
        summary: 'Let ports of the gateway lead to an inside host',
        params: vrouterParams,
        body: createPublishedPortRequest,
        response: { 201: createPublishedPortReply, ...refusals },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await createPublishedPort(desk, actorOf(request), request.params.name, request.body)),
  );

  app.get(
    '/v1/vrouters/:name/published-ports',
    {
      schema: {
        tags,
        summary: 'All published ports',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: publishedPortList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`published-ports/${name}`, query, (page) =>
        listPublishedPorts(desk, name, page),
      );
      return { publishedPorts: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name/published-ports/:vrf/:hostAddress/:protocol/:hostPort',
    {
      schema: {
        tags,
        summary: 'One published port',
        params: portParams,
        response: { 200: publishedPortReply, ...refusals },
      },
    },
    async ({ params }) => ({ publishedPort: showPublishedPort(desk, params.name, params) }),
  );

  app.delete(
    '/v1/vrouters/:name/published-ports/:vrf/:hostAddress/:protocol/:hostPort',
    {
      schema: {
        tags,
        summary: 'Publish ports no more; their sessions end',
        params: portParams,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => removePublishedPort(desk, actorOf(request), request.params.name, request.params),
  );
}
