import assert from 'node:assert/strict';
import test from 'node:test';
import { historyReply } from '@vrouter/api/rest/history.ts';
import { vrouterctl } from '../process.testing.ts';
import { type Answering, type Seen, serve } from '../server.testing.ts';

test('history: steps joined to rows for people, whole for programs', async () => {
  const fromUnixMs = Date.UTC(2026, 10, 29, 10, 0);
  const points = Array.from({ length: 90 }, (_, n) => ({
    atUnixMs: fromUnixMs + n * 60_000,
    rxBytes: n < 2 ? 1_500_000 : 0,
    txBytes: 0,
    rxPackets: 1,
    txPackets: 0,
    drops: n === 3 ? 7 : 0,
  }));
  const reply = {
    vrouter: 'edge-1',
    peer: null,
    stepMs: 60_000,
    fromUnixMs,
    untilUnixMs: fromUnixMs + 90 * 60_000,
    points,
  };
  const answer = (request: Seen): Answering => {
    assert.match(request.url, /^\/v1\/vrouters\/edge-1\/history\?fromUnixMs=\d+(&peer=a%20b)?$/);
    return { body: historyReply.parse(reply) };
  };
  await using server = await serve(answer);
  const ask = (...args: string[]) => vrouterctl(['--controller', server.at, 'history', 'edge-1', ...args]);
  const text = await ask('--since', '90m');
  assert.equal(text.status, 0);
  const lines = text.out.trimEnd().split('\n');
  assert.equal(lines.length, 46, 'two minutes a row');
  assert.match(lines[1]!, /^2026-11-29 10:00Z +2\.9 MiB +0 B +0\.200 Mb\/s +0\.000 Mb\/s +2 +0$/);
  assert.match(lines[2]!, / 2 +7$/);
  const json = await ask('--peer', 'a b', '--json');
  assert.deepEqual(JSON.parse(json.out), reply);
  for (const since of ['soon', '0h', '-1d', '5']) assert.equal((await ask('--since', since)).status, 2);
});

test('history: an hour unless said, and the help says so in words', async () => {
  const untilUnixMs = Date.now();
  let fromUnixMs = Number.NaN;
  const answer = (request: Seen): Answering => {
    fromUnixMs = Number(new URL(request.url, 'http://host').searchParams.get('fromUnixMs'));
    const reply = { vrouter: 'edge-1', peer: null, stepMs: 60_000, fromUnixMs, untilUnixMs, points: [] };
    return { body: historyReply.parse(reply) };
  };
  await using server = await serve(answer);
  assert.equal((await vrouterctl(['--controller', server.at, 'history', 'edge-1'])).status, 0);
  const askedMs = Date.now() - fromUnixMs;
  assert.ok(askedMs >= 3_600_000 && askedMs < 3_660_000, String(askedMs));
  const { out } = await vrouterctl(['history', '--help']);
  assert.match(out, /90m, 24h, 7d \(default:\s+1h\)/);
  assert.doesNotMatch(out, /3600000/);
});
