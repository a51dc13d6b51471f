import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renewReply } from '@vrouter/api/agent/agent.ts';
import { CallFailed, PollRefused, readReply, readRetryAfter } from './client.ts';

const NOW = Date.UTC(2026, 10, 29, 12);

test('Retry-After is seconds or a date, and no more than an hour', () => {
  for (const [header, ms] of [
    ['30', 30_000],
    [' 2 ', 2000],
    ['0', 0],
    [new Date(NOW + 90_000).toUTCString(), 90_000],
    [new Date(NOW - 90_000).toUTCString(), 0],
    ['999999999', 3_600_000],
    ['soon', null],
    ['', null],
    [undefined, null],
    [['5', '7'], 5000],
  ] as const)
    assert.equal(readRetryAfter(header as string | string[] | undefined, NOW), ms, String(header));
});

function failure(status: number, body: unknown, retryAfterMs: number | null = null): unknown {
  try {
    readReply('https://c', status, typeof body === 'string' ? body : JSON.stringify(body), renewReply, retryAfterMs);
  } catch (thrown) {
    return thrown;
  }
  return null;
}

test('a refusal keeps its code and how long to wait; what is no JSON of ours is nobody of ours', () => {
  const refusal = (code: string) => ({ error: { code, message: 'because' } });
  for (const [status, body, wanted, retryAfterMs] of [
    [503, refusal('store.unavailable'), 'store.unavailable', 2000],
    [429, refusal('request.limited'), 'request.limited', 30_000],
    [410, refusal('gateway.deleted'), 'gateway.deleted', null],
    [401, refusal('certificate.required'), 'certificate.required', null],
    [500, refusal('some.newer.code'), 'internal', null],
    [502, '<html>bad gateway</html>', 'controller.unreachable', 5000],
  ] as const) {
    const thrown = failure(status, body, retryAfterMs);
    assert.ok(thrown instanceof CallFailed, String(thrown));
    assert.deepEqual([thrown.problem.code, thrown.retryAfterMs, thrown.isAway], [wanted, retryAfterMs, false]);
  }
  const replay = failure(409, { error: { code: 'poll.replay', message: 'again' }, nextNonce: 'n2' });
  assert.ok(replay instanceof PollRefused && replay.nextNonce === 'n2');
});
