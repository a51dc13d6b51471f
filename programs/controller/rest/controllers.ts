/** /v1/controllers */
import { controllerGoneReply, controllerList } from '@vrouter/api/rest/controllers.ts';
import { errorReply } from '@vrouter/api/rest/error.ts';
import { z } from 'zod';
import type { Fleet } from '../fleet/fleet.ts';
import { type App, actorOf } from './app.ts';

const tags = ['controllers'];
const refusals = { '4xx': errorReply, '5xx': errorReply };
const params = z.object({ id: z.string().max(64).describe('As the list tells it') });

export function controllerRoutes(app: App, fleet: Fleet): void {
  app.get(
    '/v1/controllers',
    {
      schema: {
        tags,
        summary: 'The controllers that share this store, and where gateways find them',
        response: { 200: controllerList, ...refusals },
      },
    },
    async () => ({ controllers: fleet.list() }),
  );

  app.delete(
    '/v1/controllers/:id',
    {
      schema: {
        tags,
        summary: 'Take one that does not run out of the list: gateways are told without it from now on',
        params,
        response: { 200: controllerGoneReply, ...refusals },
      },
    },
    async (request) => ({ removed: await fleet.remove(actorOf(request), request.params.id) }),
  );
}
