/** /v1/vrouters/:name/rotations */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import {
  changeRotationReply,
  rotationList,
  rotationPeersRequest,
  rotationReply,
  startRotationRequest,
} from '@vrouter/api/rest/rotations.ts';
import { z } from 'zod';
import type { Desk } from '../desk/desk.ts';
import { cancelRotation, forceRotation, listRotations, showRotation, startRotation } from '../rotation/rotations.ts';
import { type App, actorOf, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['rotations'];
const refusals = { '4xx': errorReply };
const rotationParams = vrouterParams.extend({ id: z.string().describe('Id of the rotation') });

export function rotationRoutes(app: App, desk: Desk): void {
  app.post(
    '/v1/vrouters/:name/rotations',
    {
      schema: {
        tags,
        summary: 'Give peers other keys; the old ones are good until the devices have changed',
        params: vrouterParams,
        body: startRotationRequest,
        response: { 201: changeRotationReply, ...refusals },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await startRotation(desk, actorOf(request), request.params.name, request.body)),
  );

  app.get(
    '/v1/vrouters/:name/rotations',
    {
      schema: {
        tags,
        summary: 'All rotations, the oldest first',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: rotationList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`rotations/${name}`, query, (page) => listRotations(desk, name, page));
      return { rotations: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name/rotations/:id',
    {
      schema: {
        tags,
        summary: 'One rotation, and how far each of its peers is',
        params: rotationParams,
        response: { 200: rotationReply, ...refusals },
      },
    },
    async ({ params: { name, id } }) => showRotation(desk, name, id),
  );

  app.post(
    '/v1/vrouters/:name/rotations/:id/cancel',
    {
      schema: {
        tags,
        summary: 'Take the next keys of those back that have not changed; their old ones stay good',
        params: rotationParams,
        body: rotationPeersRequest,
        response: { 200: changeRotationReply, ...refusals },
      },
    },
    async (request) => cancelRotation(desk, actorOf(request), request.params.name, request.params.id, request.body),
  );

  app.post(
    '/v1/vrouters/:name/rotations/:id/force',
    {
      schema: {
        tags,
        summary: 'End the old keys of those that have not changed; they are cut off until they have',
        params: rotationParams,
        body: rotationPeersRequest,
        response: { 200: changeRotationReply, ...refusals },
      },
    },
    async (request) => forceRotation(desk, actorOf(request), request.params.name, request.params.id, request.body),
  );
}
