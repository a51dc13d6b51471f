/** /v1/vrouters/:name/nat-settings */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { changeNatSettingsReply, changeNatSettingsRequest, natSettingsReply } from '@vrouter/api/rest/nat-settings.ts';
import type { Desk } from '../desk/desk.ts';
import { changeNatSettings, resetNatSettings, showNatSettings } from '../desk/nat-settings.ts';
import { type App, actorOf, vrouterParams } from './app.ts';

const tags = ['NAT'];
const refusals = { '4xx': errorReply };

export function natSettingsRoutes(app: App, desk: Desk): void {
  app.get(
    '/v1/vrouters/:name/nat-settings',
    {
      schema: {
        tags,
        summary: 'How many translations there may be, and how long an idle one lives',
        params: vrouterParams,
        response: { 200: natSettingsReply, ...refusals },
      },
    },
    async (request) => ({ natSettings: showNatSettings(desk, request.params.name) }),
  );

  app.patch(
    '/v1/vrouters/:name/nat-settings',
    {
      schema: {
        tags,
        summary: 'Change some of the limits and lives of translations; sessions go on',
        params: vrouterParams,
        body: changeNatSettingsRequest,
        response: { 200: changeNatSettingsReply, ...refusals },
      },
    },
    async (request) => changeNatSettings(desk, actorOf(request), request.params.name, request.body),
  );

  app.delete(
    '/v1/vrouters/:name/nat-settings',
    {
      schema: {
        tags,
        summary: 'The usual limits and lives of translations again',
        params: vrouterParams,
        response: { 200: changeNatSettingsReply, ...refusals },
      },
    },
    async (request) => resetNatSettings(desk, actorOf(request), request.params.name),
  );
}
