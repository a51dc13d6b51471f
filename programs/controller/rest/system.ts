/** The controller itself: version, health, metrics, audit, and the way to the documentation. */
import { errorReply } from '@vrouter/api/rest/error.ts';
import {
  type AuditRow,
  type AuditVerifyReply,
  auditList,
  auditQuery,
  auditVerifyQuery,
  auditVerifyReply,
  healthReply,
  type VersionReply,
  versionReply,
} from '@vrouter/api/rest/system.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Desk } from '../desk/desk.ts';
import { cut, type Page, type Paged } from '../desk/page.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { lastAudit, verifyAudit } from '../store/audit.ts';
import type { ChainHead } from '../store/chain.ts';
import type { App } from './app.ts';
import { paged } from './cursor.ts';

const tags = ['system'];

/** What the controller tells of itself. */
export interface ControllerWords {
  version(): VersionReply;
  /** OpenAPI of the gateways' listener. */
  agentsDocument(): unknown;
}

/** Rows are only added, each with a greater id, so a page begins below the id of the last one. */
async function auditPage({ db }: Desk, { limit, after }: Page): Promise<Paged<AuditRow>> {
  return cut(await lastAudit(db, limit + 1, after === null ? null : Number(after)), limit, ({ id }) => String(id));
}

export function systemRoutes(app: App, desk: Desk, metrics: Metrics, words: ControllerWords): void {
  // One walk after another: it reads the whole audit.
  let last: Promise<unknown> = Promise.resolve();
  const walk = (noted: ChainHead | null): Promise<AuditVerifyReply> => {
    const run = last.then(() => verifyAudit(desk.db, noted));
    last = run.catch(() => undefined);
    return run;
  };

  app.get(
    '/v1/version',
    { schema: { tags, summary: 'Who this controller is', response: { 200: versionReply } } },
    async () => words.version(),
  );

  app.get(
    '/v1/audit',
    {
      schema: {
        tags,
        summary: 'What was done and what was refused, latest first',
        querystring: auditQuery,
        response: { 200: auditList, '4xx': errorReply },
      },
    },
    async ({ query: { last, ...query } }) => {
      const { rows, next } = await paged('audit', { ...query, limit: last ?? query.limit }, (page) =>
        auditPage(desk, page),
      );
      return { audit: rows, next };
    },
  );

  app.get(
    '/v1/audit/verify',
    {
      schema: {
        tags,
        summary: 'Walk the chain of the audit and name the first row that is not as it was written',
        querystring: auditVerifyQuery,
        response: { 200: auditVerifyReply, '4xx': errorReply },
      },
    },
    async (request) => {
      const { id, hash } = request.query;
      if ((id === undefined) !== (hash === undefined))
        throw new ProblemError(problem('input.invalid', 'id and hash go together', id === undefined ? 'id' : 'hash'));
      return walk(id === undefined || hash === undefined ? null : { id, hash });
    },
  );

  app.get('/healthz', { schema: { tags, summary: 'Whether it works', response: { 200: healthReply } } }, async () => {
    // An answer means that the store answers too.
    await lastAudit(desk.db, 1);
    return { status: 'ok' as const };
  });

  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });

  app.get('/', { schema: { hide: true } }, async (_request, reply) => reply.redirect('/docs'));
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  app.get('/openapi-agents.json', { schema: { hide: true } }, async () => words.agentsDocument());
}
