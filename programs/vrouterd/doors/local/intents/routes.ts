/** `/v1/intents` and `/v1/networks`. */
import { changeQuery, type FailedChange, intentChange, intentsQuery } from '@vrouter/api/gateway/intents.ts';
import { statusOf } from '@vrouter/api/status.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { intentRank } from '@vrouter/intent/compile/compile.ts';
import type { FastifyInstance } from 'fastify';
import type { Daemon } from '../../../daemon.ts';
import { parsed } from '../query.ts';
import { ChangeFailed, type Changes } from './changes.ts';
import { networkRows } from './networks.ts';
import { intentRows, noNetwork, type Sees } from './rows.ts';

/** Bytes: ten thousand published ports. */
const BODY_MAX = 8 << 20;

export function addIntentRoutes(server: FastifyInstance, daemon: Sees & Pick<Daemon, 'links'>, changes: Changes): void {
  server.get('/v1/intents', (request) => {
    const query = parsed(intentsQuery.safeParse(request.query));
    if (query.kind !== undefined && !Object.hasOwn(intentRank, query.kind)) throw noKind();
    return { intents: intentRows(daemon, query) };
  });
  server.put('/v1/intents', { bodyLimit: BODY_MAX }, async (request, reply) => {
    const { dryRun } = parsed(changeQuery.safeParse(request.query));
    const change = parsed(intentChange.safeParse(request.body ?? {}));
    if (dryRun === 'true') return changes.preview(change);
    try {
      return await changes.change(change);
    } catch (thrown) {
      if (!(thrown instanceof ChangeFailed)) throw thrown;
      const { problem: error, failed, restored } = thrown;
      const body: FailedChange = { error: { ...error }, failed: [...failed], restored };
      return reply.code(statusOf(error.code).http).send(body);
    }
  });
  server.get('/v1/networks', async () => ({ networks: await networkRows(daemon) }));
  server.get<{ Params: { id: string } }>('/v1/networks/:id', async ({ params: { id } }) => {
    const [network] = await networkRows(daemon, id);
    if (network === undefined) throw noNetwork(id);
    return { network };
  });
}

function noKind(): ProblemError {
  return new ProblemError(problem('input.invalid', `a kind is one of ${Object.keys(intentRank).join(', ')}`, 'kind'));
}
