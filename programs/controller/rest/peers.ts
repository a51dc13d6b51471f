/** /v1/vrouters/:name/peers */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import {
  changePeerReply,
  changePeerRequest,
  createPeerReply,
  createPeerRequest,
  peerList,
  peerReply,
} from '@vrouter/api/rest/peers.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { z } from 'zod';
import type { Desk } from '../desk/desk.ts';
import { changePeer, createPeer, listPeers, removePeer, showPeer, showPeerNext, wgQuick } from '../desk/peers.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['peers'];
const refusals = { '4xx': errorReply };
const peerParams = vrouterParams.extend({
  peer: z.string().describe('Name or public key of the peer, percent-encoded'),
});

export function peerRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters/:name/peers',
    {
      schema: {
        tags,
        summary: 'Let a peer in; answers when it is stored, and the gateway hears of it at once',
        params: vrouterParams,
        body: createPeerRequest,
        response: { 201: createPeerReply, ...refusals },
      },
    },
    async (request, reply) => {
      return reply.code(201).send(await createPeer(desk, actorOf(request), request.params.name, request.body));
    },
  );

  app.get(
    '/v1/vrouters/:name/peers',
    {
      schema: {
        tags,
        summary: 'All peers, by name',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: peerList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`peers/${name}`, query, (page) => listPeers(desk, name, page));
      return { peers: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name/peers/:peer',
    { schema: { tags, summary: 'One peer', params: peerParams, response: { 200: peerReply, ...refusals } } },
    async (request) => showPeer(desk, request.params.name, request.params.peer),
  );

  app.get(
    '/v1/vrouters/:name/peers/:peer/wg-quick',
    {
      schema: {
        tags,
        summary: 'The configuration file of the peer for wg-quick(8), all but its private key',
        params: peerParams,
        querystring: z.strictObject({
          next: z
            .enum(['true', 'false'])
            .default('false')
            .describe('The file for the key that a rotation gives the peer'),
        }),
        response: { 200: { content: { 'text/plain': { schema: z.string() } } }, ...refusals },
      },
    },
    async (request, reply) => {
      const { name, peer } = request.params;
      const found = await (request.query.next === 'true' ? showPeerNext : showPeer)(desk, name, peer);
      return reply.type('text/plain; charset=utf-8').serializer(String).send(wgQuick(found));
    },
  );

  app.patch(
    '/v1/vrouters/:name/peers/:peer',
    {
      schema: {
        tags,
        summary: 'Change a peer in place; its session goes on unless its key changes, and nobody else notices',
        params: peerParams,
        body: changePeerRequest,
        response: { 200: changePeerReply, ...refusals },
      },
    },
    async (request) => changePeer(desk, actorOf(request), request.params.name, request.params.peer, request.body),
  );

  app.delete(
    '/v1/vrouters/:name/peers/:peer',
    {
      schema: {
        tags,
        summary: 'Shut a peer out; its addresses are free again',
        params: peerParams,
        response: { 200: deletedReply, ...refusals },
      },
    },
    async (request) => {
      const { name, version } = await removePeer(desk, actorOf(request), request.params.name, request.params.peer);
      return { deleted: name, version };
    },
  );
}
