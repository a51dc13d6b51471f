/** /v1/ca */
import { caReply } from '@vrouter/api/rest/ca.ts';
import { errorReply } from '@vrouter/api/rest/error.ts';
import type { CertificateKeeper } from '../ca/keeper.ts';
import { type App, actorOf } from './app.ts';

const tags = ['ca'];
const refusals = { '4xx': errorReply, '5xx': errorReply };

export function caRoutes(app: App, keeper: CertificateKeeper): void {
  app.get(
    '/v1/ca',
    { schema: { tags, summary: 'The certificate authority and how it is', response: { 200: caReply, ...refusals } } },
    async () => keeper.describe(),
  );

  app.post(
    '/v1/ca/rotate',
    {
      schema: {
        tags,
        summary: 'Issue with a new intermediate from now on; what the old one has signed stays good to its end',
        response: { 200: caReply, ...refusals },
      },
    },
    async (request) => keeper.rotate(actorOf(request)),
  );
}
