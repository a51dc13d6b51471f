/** Logins over REST: once under a key, with no row in the audit too many, and nothing that a cache keeps. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loginOffer, loginReply } from '@vrouter/api/rest/login.ts';
import { lastAudit } from '../store/audit.ts';
import { TestProvider } from '../testing/oidc.testing.ts';
import { codeOf, Rest } from '../testing/rest.ts';
import { openScene } from './scene.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-login-rest-'));
const at = await TestProvider.start();
after(async () => {
  await at[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
let files = 0;

async function open() {
  const set = await openScene(join(folder, `${files++}.db`), at);
  const rest = await Rest.over(set, set.login);
  // Nobody is anybody yet.
  const call = (method: string, body?: unknown, headers: Record<string, string> = {}) =>
    rest.call(method, '/v1/login', body, { authorization: '', ...headers });
  return { ...set, rest, call };
}

test('the offer has a nonce of its own each time, and no cache keeps it', async () => {
  const { call } = await open();
  const offers = [await call('GET'), await call('GET')];
  const [one, two] = offers.map(({ json }) => loginOffer.parse(json).oidc!);
  assert.notEqual(one!.nonce, two!.nonce);
  assert.deepEqual([one!.issuer, one!.clientId, one!.exchange], [at.issuer, 'vrouter', 'client']);
  assert.equal(offers[0]!.headers['cache-control'], 'no-store');
});

test('a login under a key is answered again, and is no second one; under another key it is refused', async () => {
  const { call, claims, db } = await open();
  const body = { idToken: await at.sign(claims()) };
  const first = await call('POST', body, { 'idempotency-key': 'k' });
  assert.equal(first.status, 201, first.text);
  const { token } = loginReply.parse(first.json);
  const again = await call('POST', body, { 'idempotency-key': 'k' });
  assert.deepEqual([again.status, loginReply.parse(again.json).token], [201, token]);
  assert.equal(first.headers['cache-control'], 'no-store');
  const other = await call('POST', body, { 'idempotency-key': 'l' });
  assert.deepEqual([other.status, codeOf(other)], [401, 'login.refused']);
  const rows = await lastAudit(db, 10);
  assert.deepEqual(
    rows.map(({ action, outcome, reason }) => [action, outcome, reason]),
    [
      ['login', 'refused', 'nonceUsed'],
      ['login', 'done', null],
    ],
  );
});

test('what is no login is refused by its shape', async () => {
  const { call, db } = await open();
  for (const body of [
    {},
    { idToken: '' },
    { idToken: 'x', code: 'y' },
    { code: 'x' },
    { idToken: 'x'.repeat(70_000) },
    [],
  ])
    assert.equal(codeOf(await call('POST', body)), 'input.invalid');
  assert.equal((await call('POST', { idToken: 'x'.repeat(200_000) })).status, 413);
  const short = { code: 'x', codeVerifier: 'short', redirectUri: 'http://127.0.0.1/callback' };
  assert.equal(codeOf(await call('POST', short)), 'input.invalid');
  assert.equal((await db.selectFrom('users').selectAll().where('issuer', 'is not', null).execute()).length, 0);
});

test('logging out takes a session', async () => {
  const { call, rest, claims } = await open();
  assert.equal(codeOf(await call('DELETE')), 'request.unauthenticated');
  assert.equal(codeOf(await rest.call('DELETE', '/v1/login')), 'login.noSession');
  const { token, apiToken } = loginReply.parse((await call('POST', { idToken: await at.sign(claims()) })).json);
  const out = await call('DELETE', undefined, { authorization: `Bearer ${token}` });
  assert.deepEqual([out.status, out.json], [200, { deleted: apiToken.id }]);
  assert.equal(
    codeOf(await call('DELETE', undefined, { authorization: `Bearer ${token}` })),
    'request.unauthenticated',
  );
});
