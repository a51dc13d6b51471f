/** Join tokens from their making to their end: who may use them, how often, from where, and until when. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ApiTokenList, UserList } from '@vrouter/api/rest/identity.ts';
import { createTokenRequest, type JoinTokenList } from '@vrouter/api/rest/join-tokens.ts';
import { createVrouterRequest, type VrouterList } from '@vrouter/api/rest/vrouters.ts';
import { lastAudit } from '../store/audit.ts';
import { consumeToken } from '../store/tokens.ts';
import { codeOf, Rest } from '../testing/rest.ts';
import { firstPage, openDesk, type TestDesk, tester } from '../testing/store.ts';
import { createToken, listTokens } from './join-tokens.ts';
import { createVrouter } from './vrouters.ts';

const folder = mkdtempSync(join(tmpdir(), 'vr-join-tokens-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

async function open(): Promise<TestDesk> {
  const desk = await openDesk(join(folder, `${files++}.db`));
  for (const name of ['v', 'w']) await createVrouter(desk, tester, createVrouterRequest.parse({ name }));
  return desk;
}

const idOf = (string: string): string => /vrj_([^_]+)_/.exec(string)![1]!;

test('a token is listed with its maker and its terms, never with its secret', async () => {
  const desk = await open();
  const rest = await Rest.over(desk);
  const body = { ttlSeconds: 600, uses: 3, sourcePrefix: '192.0.2.0/24' };
  const made = await rest.call('POST', '/v1/vrouters/v/tokens', body);
  assert.equal(made.status, 201);
  const { string } = (made.json as { join: { string: string } }).join;
  assert.match(string, /#vrj_[a-z0-9]{8}_[A-Za-z0-9_-]{43}~[0-9a-f]{64}$/);
  const { text, json } = await rest.call('GET', '/v1/vrouters/v/tokens');
  const { tokens, next } = json as JoinTokenList;
  assert.deepEqual([tokens.length, next], [2, null], 'the one of the vrouter itself, and this one');
  const { etag: _, ...told } = tokens.find(({ id }) => id === idOf(string))!;
  const { unixMs: now } = desk.clock;
  const times = { createdUnixMs: now, expiresUnixMs: now + 600_000, revokedUnixMs: null };
  const rights = { uses: 3, usesLeft: 3, sourcePrefix: '192.0.2.0/24' };
  assert.deepEqual(told, { id: idOf(string), state: 'good', creator: 'tester', ...times, ...rights });
  assert.ok(!text.includes(/_([A-Za-z0-9_-]{43})~/.exec(string)![1]!));
  assert.deepEqual(((await rest.call('GET', '/v1/vrouters/w/tokens')).json as JoinTokenList).tokens.length, 1);
  await desk.db.destroy();
});

test('what a token may not be, and defaults', async () => {
  const desk = await open();
  const rest = await Rest.over(desk);
  for (const [body, code, field] of [
    [{ ttlSeconds: 604_801 }, 'input.invalid', 'ttlSeconds'],
    [{ uses: 0 }, 'input.invalid', 'uses'],
    [{ uses: 101 }, 'input.invalid', 'uses'],
    [{ sourcePrefix: '192.0.2.1/24' }, 'prefix.invalid', 'sourcePrefix'],
    [{ sourcePrefix: 'home' }, 'prefix.invalid', 'sourcePrefix'],
  ] as const) {
    const answer = await rest.call('POST', '/v1/vrouters/v/tokens', body);
    assert.deepEqual([answer.status, codeOf(answer)], [400, code], JSON.stringify(body));
    assert.equal((answer.json as { error: { field: string } }).error.field, field);
  }
  assert.deepEqual(createTokenRequest.parse(undefined), { ttlSeconds: 3600, uses: 1, sourcePrefix: null });
  assert.equal(((await rest.call('GET', '/v1/vrouters/v/tokens')).json as JoinTokenList).tokens.length, 1);
  await desk.db.destroy();
});

test('a revoked token is no more used, is told as such, and is revoked once; If-Match holds', async () => {
  const desk = await open();
  const rest = await Rest.over(desk);
  const { join: made } = await createToken(desk, tester, 'v', createTokenRequest.parse({ uses: 2 }));
  const id = idOf(made.string);
  const path = `/v1/vrouters/v/tokens/${id}`;
  const one = async () => (await listTokens(desk, 'v', firstPage)).rows.find((row) => row.id === id)!;
  const { etag } = await one();
  assert.ok(await desk.db.transaction().execute((tx) => consumeToken(tx, id, desk.clock.unixMs)));
  const outdated = await rest.call('DELETE', path, undefined, { 'if-match': `"${etag}"` });
  assert.deepEqual([outdated.status, codeOf(outdated)], [412, 'request.outdated'], 'somebody used it meanwhile');
  assert.equal((await one()).state, 'good');
  const events: string[] = [];
  desk.events.subscribe(({ type, subject }) => events.push(`${type} ${subject}`));
  for (let i = 0; i < 2; i++) {
    const gone = await rest.call('DELETE', path);
    assert.deepEqual([gone.status, gone.json], [200, { deleted: id, version: null }]);
  }
  assert.deepEqual(events, [`token.revoked ${id}`]);
  assert.deepEqual(
    (await lastAudit(desk.db, 20)).filter(({ action }) => action === 'token.revoke').map(({ subject }) => subject),
    [`v ${id}`],
  );
  assert.deepEqual([(await one()).state, (await one()).revokedUnixMs], ['revoked', desk.clock.unixMs]);
  assert.equal(await desk.db.transaction().execute((tx) => consumeToken(tx, id, desk.clock.unixMs)), false);
  for (const other of [`/v1/vrouters/w/tokens/${id}`, '/v1/vrouters/v/tokens/aaaaaaaa']) {
    const answer = await rest.call('DELETE', other);
    assert.deepEqual([answer.status, codeOf(answer)], [404, 'joinToken.notFound'], 'another vrouter’s is not there');
  }
  await desk.db.destroy();
});

test('a state is what it is by now, and tokens are forgotten a day after their end', async () => {
  const desk = await open();
  const { join: used } = await createToken(desk, tester, 'v', createTokenRequest.parse({}));
  await createToken(desk, tester, 'v', createTokenRequest.parse({ ttlSeconds: 7200 }));
  await desk.db.transaction().execute((tx) => consumeToken(tx, idOf(used.string), desk.clock.unixMs));
  const states = async () => (await listTokens(desk, 'v', firstPage)).rows.map(({ state }) => state).sort();
  assert.deepEqual(await states(), ['good', 'good', 'used']);
  desk.clock.unixMs += 3_600_000;
  assert.deepEqual(await states(), ['expired', 'good', 'used']);
  desk.clock.unixMs += 86_400_000 + 1;
  await createToken(desk, tester, 'v', createTokenRequest.parse({}));
  assert.deepEqual(await states(), ['expired', 'good']);
  await desk.db.destroy();
});

test('join tokens, API tokens and users are listed by pages, each once and in an order that stays', async () => {
  const desk = await open();
  const rest = await Rest.over(desk);
  for (let n = 0; n < 9; n++) {
    // Some of the same moment.
    desk.clock.unixMs += n % 3;
    await createToken(desk, tester, 'v', createTokenRequest.parse({}));
    assert.equal((await rest.call('POST', '/v1/users', { name: `u${(n * 7) % 9}` })).status, 201);
    for (const user of ['u0', 'tester'])
      assert.equal((await rest.call('POST', '/v1/api-tokens', { user, name: `t${n}` })).status, 201);
  }
  for (const [path, member, key, count] of [
    ['/v1/vrouters/v/tokens?', 'tokens', 'id', 10],
    ['/v1/users?', 'users', 'name', 10],
    ['/v1/api-tokens?', 'apiTokens', 'id', 19],
    ['/v1/api-tokens?user=u0&', 'apiTokens', 'id', 9],
  ] as const) {
    const whole = ((await rest.call('GET', `${path}limit=1000`)).json as Record<string, Record<string, unknown>[]>)[
      member
    ]!;
    assert.equal(whole.length, count, path);
    const seen: unknown[] = [];
    let cursor: string | null = '';
    for (let page = 0; cursor !== null; page++) {
      const answer = await rest.call('GET', `${path}limit=4${cursor && `&cursor=${cursor}`}`);
      assert.equal(answer.status, 200, answer.text);
      const rows = (answer.json as Record<string, Record<string, unknown>[]>)[member]!;
      assert.ok(rows.length <= 4);
      seen.push(...rows.map((row) => row[key]));
      cursor = (answer.json as VrouterList | UserList | ApiTokenList).next ?? null;
      // Whoever comes meanwhile moves nobody.
      if (path.startsWith('/v1/users')) await rest.call('POST', '/v1/users', { name: `a${page}` });
    }
    assert.deepEqual(
      seen,
      whole.map((row) => row[key]),
      path,
    );
  }
  const { next } = (await rest.call('GET', '/v1/api-tokens?limit=2')).json as ApiTokenList;
  for (const path of [`/v1/api-tokens?user=u0&cursor=${next}`, `/v1/users?cursor=${next}`]) {
    const answer = await rest.call('GET', path);
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'input.invalid'], 'a cursor is of its list alone');
  }
  await desk.db.destroy();
});
