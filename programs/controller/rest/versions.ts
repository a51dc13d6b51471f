/** /v1/vrouters/:name/versions, /v1/vrouters/:name/diff */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { pageQuery } from '@vrouter/api/rest/paging.ts';
import { diffQuery, diffReply, versionList, versionParams, versionReply } from '@vrouter/api/rest/versions.ts';
import type { Desk } from '../desk/desk.ts';
import { diffVersions, endsOf, listVersions, showVersion } from '../desk/versions.ts';
import { type App, vrouterParams } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['versions'];
const refusals = { '4xx': errorReply };

export function versionRoutes(app: App, desk: Desk): void {
  app.get(
    '/v1/vrouters/:name/versions',
    {
      schema: {
        tags,
        summary: 'The last 512 versions of the configuration, newest first: when, by whom, and for what',
        params: vrouterParams,
        querystring: pageQuery,
        response: { 200: versionList, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const { rows, next } = await paged(`versions/${name}`, query, (page) => listVersions(desk, name, page));
      return { versions: rows, next };
    },
  );

  app.get(
    '/v1/vrouters/:name/versions/:version',
    {
      schema: {
        tags,
        summary: 'What one version changed; secrets show as fingerprints',
        params: vrouterParams.extend(versionParams),
        querystring: pageQuery,
        response: { 200: versionReply, ...refusals },
      },
    },
    async ({ params: { name, version }, query }) => {
      const read = (page: Parameters<typeof showVersion>[3]) => showVersion(desk, name, version, page);
      const { rows, ...rest } = await paged(`versions/${name}/${version}`, query, read);
      return { ...rest, changes: rows };
    },
  );

  app.get(
    '/v1/vrouters/:name/diff',
    {
      schema: {
        tags,
        summary: 'What is other between two versions; left out, what the newest changed',
        params: vrouterParams,
        querystring: diffQuery,
        response: { 200: diffReply, ...refusals },
      },
    },
    async ({ params: { name }, query }) => {
      const ends = endsOf(desk, name, query);
      const read = (page: Parameters<typeof diffVersions>[3]) => diffVersions(desk, name, ends, page);
      // A page is of these two; where the newest was meant, the next page must name it.
      const { rows, ...rest } = await paged(`diff/${name}/${ends.from}/${ends.to}`, query, read);
      return { ...rest, changes: rows };
    },
  );
}
