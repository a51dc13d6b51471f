/** Who logs in and what they may do then, with a real provider and real keys. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createApiToken, listApiTokens, revokeApiToken } from '../identity/api-tokens.ts';
import { ensureFirstAdmin } from '../identity/first-admin.ts';
import { changeUser, createUser, listUsers, removeUser, showUser } from '../identity/users.ts';
import { lastAudit, verifyAudit } from '../store/audit.ts';
import { SECRET, SECRET_CLIENT, TestProvider } from '../testing/oidc.testing.ts';
import { firstPage, tester } from '../testing/store.ts';
import { codeOf, idTokenOf, is, openScene, type Scening } from './scene.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-login-'));
const at = await TestProvider.start();
after(async () => {
  await at[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
let files = 0;
const open = (more: Scening = {}) => openScene(join(folder, `${files++}.db`), at, more);

test('who logs in gets the role of its groups, the highest of them, and the audit says from where', async () => {
  const set = await open();
  at.people.set('s-1', { groups: ['everyone', 'net-operators', 'chess'], preferred_username: 'kim' });
  const { user, role, apiToken, token } = await set.come('s-1');
  assert.deepEqual([user, role, apiToken.origin, apiToken.name], ['kim', 'operator', 'oidc', 'login']);
  const caller = await set.ask(token);
  assert.deepEqual([caller.role, caller.actor.name, caller.token.userIssuer], ['operator', 'oidc/kim', at.issuer]);
  const kim = await showUser(set.identity, 'kim');
  assert.deepEqual([kim.origin, kim.issuer, kim.subject, kim.apiTokens], ['oidc', at.issuer, 's-1', 1]);
  const row = await set.lastReason();
  assert.deepEqual(
    [row.action, row.actor, row.tokenId, row.source, row.subject],
    ['login', 'oidc/kim', apiToken.id, '192.0.2.7', `operator ${at.issuer} s-1`],
  );
  assert.equal((await verifyAudit(set.db)).intact, true);
});

test('roles are taken anew at each login, and a lower one holds for the sessions of before', async () => {
  const set = await open();
  at.people.set('s-2', { groups: 'net-admins', preferred_username: 'kim' });
  const first = await set.come('s-2');
  assert.equal(first.role, 'admin', 'a single group may stand without a list');
  at.people.set('s-2', { groups: ['everyone'], preferred_username: 'kim' });
  assert.equal((await set.come('s-2')).role, 'viewer');
  assert.equal((await set.ask(first.token)).role, 'viewer');
  at.people.set('s-2', { groups: ['net-admins'], preferred_username: 'kim' });
  const third = await set.come('s-2');
  assert.deepEqual([third.role, (await set.ask(third.token)).role], ['admin', 'admin']);
  assert.equal((await listUsers(set.identity, firstPage)).rows.length, 1);
});

test('who has no group that gives a role is refused, the audit knows the groups, and earlier sessions end', async () => {
  const set = await open();
  at.people.set('s-3', { groups: ['chess', 'Net-Admins'], preferred_username: 'lee' });
  await assert.rejects(set.come('s-3'), is('login.noRole', /claim groups.*chess/));
  assert.equal((await listUsers(set.identity, firstPage)).rows.length, 0, 'nobody was made');
  const row = await set.lastReason();
  assert.deepEqual([row.action, row.outcome, row.actor], ['login', 'refused', 'oidc/lee']);
  assert.match(row.reason ?? '', /^noRole: .*chess, Net-Admins/);
  at.people.set('s-3', { groups: ['everyone'], preferred_username: 'lee' });
  const { token } = await set.come('s-3');
  at.people.set('s-3', { preferred_username: 'lee' });
  const none = await idTokenOf(at, 's-3', set.nonce());
  await assert.rejects(set.logIn(none), is('login.noRole', /no groups/));
  await assert.rejects(set.ask(token), is('request.unauthenticated'));
  at.people.set('s-3', { groups: ['everyone'], preferred_username: 'lee' });
  const again = await set.come('s-3');
  await assert.rejects(set.logIn(none), is('login.refused'));
  await set.ask(again.token);
});

test('the claim with the groups may be another one, also within an object', async () => {
  const set = await open({ rules: { rolesClaim: 'realm_access.roles', nameClaim: 'email' } });
  at.people.set('s-4', { realm_access: { roles: ['net-admins'] }, groups: ['x'], email: 'kim@example.org' });
  const { role, user } = await set.come('s-4');
  assert.deepEqual([role, user], ['admin', 'kim@example.org']);
});

test('a person is known by issuer and subject: another name changes nothing, and nobody takes over a name', async () => {
  const set = await open();
  await createUser(set.identity, tester, { name: 'admin', role: 'admin' });
  at.people.set('s-5', { groups: ['net-admins'], preferred_username: 'admin' });
  await assert.rejects(set.come('s-5'), is('login.nameTaken', /local user/));
  assert.match((await set.lastReason()).reason ?? '', /^nameTaken: /);
  assert.equal((await showUser(set.identity, 'admin')).origin, 'local');
  await removeUser(set.identity, tester, 'admin');
  await assert.rejects(set.come('s-5'), is('login.nameTaken', /local user/), 'it is kept for --reset-admin');

  at.people.set('s-6', { groups: ['everyone'], preferred_username: 'kim' });
  await set.come('s-6');
  at.people.set('s-7', { groups: ['net-admins'], preferred_username: 'kim' });
  await assert.rejects(set.come('s-7'), is('login.nameTaken', /another person/));
  at.people.set('s-6', { groups: ['everyone'], preferred_username: 'admin' });
  assert.equal((await set.come('s-6')).user, 'kim', 'the name of the first login stays');
  await assert.rejects(createUser(set.identity, tester, { name: 'kim', role: 'viewer' }), is('user.exists'));
});

test('a subject that is no name gets one, and claims that are no names are passed over', async () => {
  const set = await open();
  at.people.set('auth0|66', { groups: ['everyone'], preferred_username: 'Kim\nadmin', email: '' });
  const { user } = await set.come('auth0|66');
  assert.match(user, /^person-[0-9a-f]{12}$/);
  at.people.set('plain-7', { groups: ['everyone'] });
  assert.equal((await set.come('plain-7')).user, 'plain-7');
});

test('a session ends by itself, and by logging out', async () => {
  const set = await open({ rules: { sessionMs: 3_600_000 } });
  at.people.set('s-8', { groups: ['everyone'], preferred_username: 'kim' });
  const first = await set.come('s-8');
  const second = await set.come('s-8');
  assert.equal(first.apiToken.expiresUnixMs, first.apiToken.createdUnixMs + 3_600_000);
  await set.login.logOut(await set.ask(second.token));
  await assert.rejects(set.ask(second.token), is('request.unauthenticated'));
  assert.deepEqual((await lastAudit(set.db, 2)).map(({ action }) => action).sort(), ['authenticate', 'logout']);
  set.clock.unixMs = first.apiToken.expiresUnixMs! - 1;
  await set.ask(first.token);
  set.clock.unixMs += 1;
  await assert.rejects(set.ask(first.token), is('request.unauthenticated'));
  assert.match((await set.lastReason()).reason ?? '', /^expired/);
});

test('who was disabled or removed is out at once and stays out until it is enabled, or forgotten', async () => {
  const set = await open();
  at.people.set('s-9', { groups: ['everyone'], preferred_username: 'kim' });
  const come = () => set.come('s-9');
  const first = await come();
  await changeUser(set.identity, tester, 'kim', { disabled: true });
  await assert.rejects(set.ask(first.token), is('request.unauthenticated'));
  await assert.rejects(come(), is('login.disabled', /kim was disabled/));
  await changeUser(set.identity, tester, 'kim', { disabled: false });
  await assert.rejects(set.ask(first.token), is('request.unauthenticated'), 'what ended has ended');
  const second = await come();

  assert.equal(await removeUser(set.identity, tester, 'kim'), true);
  await assert.rejects(set.ask(second.token), is('request.unauthenticated'));
  await assert.rejects(come(), is('login.disabled'));
  assert.equal(await removeUser(set.identity, tester, 'kim'), true, 'once more changes nothing');
  await assert.rejects(come(), is('login.disabled'));
  await changeUser(set.identity, tester, 'kim', { disabled: false });
  await come();
  assert.equal(await removeUser(set.identity, tester, 'kim', true), false);
  assert.deepEqual((await listUsers(set.identity, firstPage)).rows, []);
  assert.equal((await come()).user, 'kim', 'as somebody new');
});

test('people of the provider have sessions and their role from there, and nothing else', async () => {
  const set = await open();
  at.people.set('s-10', { groups: ['net-admins'], preferred_username: 'kim' });
  await set.come('s-10');
  const input = { user: 'kim', name: 'robot' };
  await assert.rejects(createApiToken(set.identity, tester, input), is('user.fromProvider'));
  await assert.rejects(changeUser(set.identity, tester, 'kim', { role: 'viewer' }), is('user.fromProvider'));
  assert.deepEqual(
    (await listApiTokens(set.identity, 'kim', firstPage)).rows.map(({ name, origin }) => [name, origin]),
    [['login', 'oidc']],
  );
});

test('a session of an administrator is no way in that lasts, and no reason to refuse either', async () => {
  const set = await open();
  await ensureFirstAdmin(set.identity, folder);
  at.people.set('s-11', { groups: ['net-admins'], preferred_username: 'kim' });
  const { token, apiToken } = await set.come('s-11');
  const [local] = (await listApiTokens(set.identity, 'admin', firstPage)).rows;
  await assert.rejects(revokeApiToken(set.identity, tester, local!.id), is('user.lastAdmin'));
  await assert.rejects(removeUser(set.identity, tester, 'admin'), is('user.lastAdmin'));
  await revokeApiToken(set.identity, tester, apiToken.id);
  await assert.rejects(set.ask(token), is('request.unauthenticated'));

  const alone = await open();
  await alone.come('s-11');
  await createUser(alone.identity, tester, { name: 'lee', role: 'viewer' });
  await changeUser(alone.identity, tester, 'lee', { disabled: true });
  assert.notEqual((await showUser(alone.identity, 'lee')).disabledUnixMs, null, 'with no local administrator at all');
});

test('where the provider wants a secret, the controller exchanges the code', async () => {
  const secret = { clientId: SECRET_CLIENT, clientSecret: SECRET };
  const set = await open({ provider: secret });
  at.people.set('s-12', { groups: ['everyone'], preferred_username: 'kim' });
  const offer = set.login.offer().oidc!;
  assert.deepEqual([offer.exchange, offer.clientId], ['controller', SECRET_CLIENT]);
  assert.ok(!JSON.stringify(offer).includes('secret:'), 'the secret stays here');
  const from = { address: '192.0.2.7', source: 'a' };
  const { code, codeVerifier, redirectUri } = await codeOf(at, 's-12', offer.nonce, SECRET_CLIENT);
  const { user } = await set.login.logIn({ code, codeVerifier, redirectUri }, from);
  assert.equal(user, 'kim');
  await assert.rejects(set.login.logIn({ code, codeVerifier, redirectUri }, from), is('login.refused'));
  assert.equal((await set.lastReason()).reason, 'code');
  const other = await codeOf(at, 's-12', set.nonce(), SECRET_CLIENT);
  const spoilt = { code: other.code, codeVerifier: 'x'.repeat(43), redirectUri };
  await assert.rejects(set.login.logIn(spoilt, from), is('login.refused'), 'another verifier');

  const wrong = await open({ provider: { ...secret, clientSecret: 'not it' } });
  const third = await codeOf(at, 's-12', wrong.nonce(), SECRET_CLIENT);
  await assert.rejects(
    wrong.login.logIn({ ...third, codeVerifier: third.codeVerifier }, from),
    is('login.unavailable'),
  );
  const open1 = await open();
  await assert.rejects(
    open1.login.logIn({ code, codeVerifier, redirectUri }, from),
    is('login.refused'),
    'not offered',
  );
});

test('a provider that is away is told of, and everything else works; it comes back', async () => {
  const set = await open();
  const first = await ensureFirstAdmin(set.identity, folder);
  at.people.set('s-13', { groups: ['everyone'], preferred_username: 'kim' });
  const early = await idTokenOf(at, 's-13', set.nonce());
  await at.down();
  try {
    assert.ok(set.login.offer().oidc !== null);
    await assert.rejects(set.logIn(early), is('login.unavailable'));
    assert.equal((await set.ask(first!.token)).role, 'admin');
    assert.notEqual((await set.lastReason()).action, 'login', 'it is nobody’s fault');
  } finally {
    await at.up();
  }
  const { token } = await set.logIn(early);
  await at.down();
  try {
    assert.equal((await set.ask(token)).role, 'viewer');
  } finally {
    await at.up();
  }
});

test('keys are kept, a new one of the provider is picked up, and tokens of nonsense make nobody ask for keys', async () => {
  const set = await open({ pace: { keysMs: 1 } });
  at.people.set('s-14', { groups: ['everyone'], preferred_username: 'kim' });
  await set.come('s-14');
  const before = at.times('/jwks');
  for (let i = 0; i < 5; i++) await set.logIn(await at.sign(set.claims({ sub: 's-14' })));
  assert.equal(at.times('/jwks'), before, 'known keys are not asked for again');
  await at.rotate();
  await set.come('s-14');
  assert.equal(at.times('/jwks'), before + 1);
  for (const more of [{ aud: 'x' }, { nonce: 'x' }, { iss: 'https://x.example' }, { sub: '' }])
    await assert.rejects(set.logIn(await at.sign(set.claims(more), { kid: 'unknown' })), is('login.refused'));
  assert.equal(at.times('/jwks'), before + 1);

  const slow = await open({ pace: { keysMs: 60_000 } });
  await slow.come('s-14');
  const asked = at.times('/jwks');
  for (let i = 0; i < 10; i++)
    await assert.rejects(slow.logIn(await at.sign(slow.claims(), { kid: `unknown ${i}` })), is('login.refused'));
  assert.ok(at.times('/jwks') <= asked + 1, `asked ${at.times('/jwks') - asked} times`);
  assert.equal((await slow.lastReason()).reason, 'key');
});

test('a controller beside this one knows its nonces, and together they take each once', async () => {
  const path = join(folder, 'two.db');
  const [one, two] = [await openScene(path, at), await openScene(path, at)];
  at.people.set('s-15', { groups: ['everyone'], preferred_username: 'kim' });
  const token = await idTokenOf(at, 's-15', one.nonce());
  const both = await Promise.allSettled([one.logIn(token), two.logIn(token)]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});
