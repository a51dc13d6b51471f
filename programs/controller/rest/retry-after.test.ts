/** Who is asked to come again is told when: RFC 9110 section 10.2.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProblemCode } from '@vrouter/core/codes.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import Fastify from 'fastify';
import { answerErrors } from './errors.ts';

test('429 and 503 carry Retry-After, and nothing else does', async () => {
  const app = Fastify();
  answerErrors(app);
  app.get('/:code', (request) => {
    throw new ProblemError(problem((request.params as { code: ProblemCode }).code, 'because'));
  });
  for (const [code, status, seconds] of [
    ['request.limited', 429, '30'],
    ['store.unavailable', 503, '2'],
    ['ca.unreachable', 503, '2'],
    ['poll.identity', 403, undefined],
    ['gateway.deleted', 410, undefined],
    ['internal', 500, undefined],
  ] as const) {
    const answer = await app.inject(`/${code}`);
    assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [status, seconds], code);
  }
  await app.close();
});
