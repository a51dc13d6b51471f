/** /v1/vrouters/:name/history */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { historyQuery, historyReply } from '@vrouter/api/rest/history.ts';
import type { Desk } from '../desk/desk.ts';
import { showHistory } from '../desk/history.ts';
import { type App, vrouterParams } from './app.ts';

export function historyRoutes(app: App, desk: Desk): void {
  app.get(
    '/v1/vrouters/:name/history',
    {
      schema: {
        tags: ['vrouters'],
        summary:
          'What passed, in steps of time: a day by the minute, a month by the quarter hour, two years by the day',
        description: 'Of a peer: a day by five minutes, a month by the hour, two years by the day. Told once a minute.',
        params: vrouterParams,
        querystring: historyQuery,
        response: { 200: historyReply, '4xx': errorReply },
      },
    },
    async (request) => showHistory(desk, request.params.name, request.query),
  );
}
