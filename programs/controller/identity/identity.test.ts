/** Who is let in and who is not, what the audit knows of it, and that somebody can always get in. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Role } from '@vrouter/api/rest/identity.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { Metrics } from '../metrics/metrics.ts';
import { findApiToken } from '../store/api-tokens.ts';
import { lastAudit, verifyAudit } from '../store/audit.ts';
import { firstPage, openDesk, tester } from '../testing/store.ts';
import { createApiToken, listApiTokens, revokeApiToken, showApiToken } from './api-tokens.ts';
import { adminNotice, ensureFirstAdmin, resetAdmin } from './first-admin.ts';
import { Identity } from './identity.ts';
import { lesser, suffices } from './roles.ts';
import { changeUser, createUser, listUsers, removeUser, showUser } from './users.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-identity-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

async function setUp() {
  const desk = await openDesk(join(folder, `${files++}.db`));
  const metrics = new Metrics();
  const identity = new Identity(desk.db, metrics, desk.unixMs);
  const first = await ensureFirstAdmin(identity, folder);
  assert.ok(first !== null);
  let sources = 0;
  const ask = (token: string | undefined, source = `source ${sources++}`) => {
    const authorization = token === undefined ? undefined : `Bearer ${token}`;
    return identity.authenticate({ authorization, address: '192.0.2.7', source, what: 'GET /v1/vrouters' });
  };
  const make = async (user: string, role: Role, more: object = {}) => {
    await createUser(identity, tester, { name: user, role });
    return createApiToken(identity, tester, { user, name: 'one', ...more });
  };
  const lastReason = async () => (await lastAudit(desk.db, 1))[0]!;
  return { ...desk, metrics, identity, first, ask, make, lastReason };
}

function is(code: string, field?: string) {
  return (thrown: unknown): boolean => {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.equal(thrown.problem.code, code, thrown.message);
    if (field !== undefined) assert.equal(thrown.problem.field, field);
    return true;
  };
}

type Scene = Awaited<ReturnType<typeof setUp>>;

const refusals: readonly (readonly [reason: string, spoil: (set: Scene) => Promise<string | undefined>])[] = [
  ['missing', async () => undefined],
  ['malformed', async () => 'secret'],
  ['malformed', async ({ first }) => first.token.replace('vra_', 'vrj_')],
  ['unknown', async ({ first }) => `vra_zzzzzzzz${first.token.slice(12)}`],
  ['wrongSecret', async ({ first }) => `${first.token.slice(0, 13)}${'A'.repeat(43)}`],
  [
    'wrongSecret',
    async ({ first, make }) => {
      const { token } = await make('kim', 'viewer');
      return `${first.token.slice(0, 13)}${token.slice(13)}`;
    },
  ],
  [
    'expired',
    async ({ make, clock, ask }) => {
      const { token } = await make('kim', 'viewer', { ttlSeconds: 60 });
      clock.unixMs += 59_999;
      await ask(token);
      clock.unixMs += 1;
      return token;
    },
  ],
  [
    'revoked',
    async ({ make, ask, identity }) => {
      const { token, apiToken } = await make('kim', 'viewer');
      await ask(token);
      await revokeApiToken(identity, tester, apiToken.id);
      return token;
    },
  ],
  [
    'userDisabled',
    async ({ make, ask, identity }) => {
      const { token } = await make('kim', 'viewer');
      await ask(token);
      await changeUser(identity, tester, 'kim', { disabled: true });
      return token;
    },
  ],
  [
    'unknown',
    async ({ make, ask, identity }) => {
      const { token } = await make('kim', 'viewer');
      await ask(token);
      await removeUser(identity, tester, 'kim');
      return token;
    },
  ],
];

test('whatever is wrong with a token, the answer is the same, and the audit knows why', async () => {
  const answers = new Set<string>();
  for (const [reason, spoil] of refusals) {
    const set = await setUp();
    const token = await spoil(set);
    await assert.rejects(set.ask(token), (thrown) => {
      assert.ok(is('request.unauthenticated')(thrown));
      answers.add(JSON.stringify((thrown as ProblemError).problem));
      return true;
    });
    const row = await set.lastReason();
    assert.deepEqual(
      [row.actor, row.tokenId, row.source, row.action, row.outcome, row.reason],
      ['rest', null, '192.0.2.7', 'authenticate', 'refused', `${reason}: GET /v1/vrouters`],
    );
    assert.equal(row.subject, /^vra_/.test(token ?? '') ? token!.slice(4, 12) : null);
    const shown = Object.values(row).join('\n');
    for (const part of token?.split('_').filter((text) => text.length > 8) ?? [])
      assert.ok(!shown.includes(part), 'the secret is not in it');
    assert.match(await set.metrics.registry.metrics(), new RegExp(`unauthenticated_total\\{reason="${reason}"\\} 1`));
    assert.equal((await verifyAudit(set.db)).intact, true);
    await set.db.destroy();
  }
  assert.equal(answers.size, 1);
});

test('an enabled user goes on with its tokens', async () => {
  const { make, ask, identity, db } = await setUp();
  const { token } = await make('kim', 'operator');
  await changeUser(identity, tester, 'kim', { disabled: true });
  await assert.rejects(ask(token), is('request.unauthenticated'));
  assert.equal((await showUser(identity, 'kim')).apiTokens, 0);
  await changeUser(identity, tester, 'kim', { disabled: false });
  assert.equal((await ask(token)).role, 'operator');
  assert.equal((await showUser(identity, 'kim')).apiTokens, 1);
  await db.destroy();
});

test('failures from one source are limited and then not written; a good token passes all the same', async () => {
  const { ask, first, db, clock, metrics } = await setUp();
  const guess = () => ask(`vra_zzzzzzzz_${'A'.repeat(43)}`, 'there');
  for (let n = 0; n < 20; n++) await assert.rejects(guess(), is('request.unauthenticated'));
  const { id } = (await lastAudit(db, 1))[0]!;
  for (let n = 0; n < 5; n++) await assert.rejects(guess(), is('request.limited'));
  assert.equal((await lastAudit(db, 1))[0]!.id, id, 'no row');
  assert.match(await metrics.registry.metrics(), /reason="limited"\} 5/);
  await ask(first.token, 'there');
  await assert.rejects(ask(undefined, 'elsewhere'), is('request.unauthenticated'), 'others are not limited');
  clock.unixMs += 6000;
  await assert.rejects(guess(), is('request.unauthenticated'));
  await assert.rejects(guess(), is('request.limited'));
  await db.destroy();
});

test('the lesser of the roles of token and user holds, as they are at the request', async () => {
  const { make, ask, identity, db } = await setUp();
  const { token } = await make('kim', 'operator');
  const narrow = await createApiToken(identity, tester, { user: 'kim', name: 'narrow', role: 'viewer' });
  const roles = async () => [(await ask(token)).role, (await ask(narrow.token)).role];
  assert.deepEqual(await roles(), ['operator', 'viewer']);
  await changeUser(identity, tester, 'kim', { role: 'viewer' });
  assert.deepEqual(await roles(), ['viewer', 'viewer']);
  await changeUser(identity, tester, 'kim', { role: 'admin' });
  assert.deepEqual(await roles(), ['operator', 'viewer'], 'a token keeps its own limit');
  await assert.rejects(
    (async () => {
      await changeUser(identity, tester, 'kim', { role: 'viewer' });
      await createApiToken(identity, tester, { user: 'kim', name: 'wide', role: 'operator' });
    })(),
    is('input.invalid', 'role'),
  );
  await db.destroy();
});

test('roles are in order', () => {
  const order = ['viewer', 'operator', 'admin'] as const;
  for (const [i, held] of order.entries())
    for (const [j, needed] of order.entries()) {
      assert.equal(suffices(held, needed), i >= j);
      assert.equal(lesser(held, needed), order[Math.min(i, j)]);
    }
});

test('names, users and tokens that are not right are refused, and leave nothing behind', async () => {
  const { identity, db } = await setUp();
  const before = (await lastAudit(db, 1))[0]!.id;
  for (const [work, code, field] of [
    [() => createUser(identity, tester, { name: 'a/b', role: 'viewer' }), 'name.invalid', 'name'],
    [() => createUser(identity, tester, { name: 'admin', role: 'viewer' }), 'user.exists', 'name'],
    [() => showUser(identity, 'nobody'), 'user.notFound', 'user'],
    [() => changeUser(identity, tester, 'nobody', { role: 'viewer' }), 'user.notFound', 'user'],
    [() => changeUser(identity, tester, 'admin', {}), 'input.invalid', undefined],
    [() => removeUser(identity, tester, 'nobody'), 'user.notFound', 'user'],
    [() => createApiToken(identity, tester, { user: 'nobody', name: 'x' }), 'user.notFound', 'user'],
    [() => createApiToken(identity, tester, { user: 'admin', name: '' }), 'name.invalid', 'name'],
    [() => listApiTokens(identity, 'nobody', firstPage), 'user.notFound', 'user'],
    [() => showApiToken(identity, 'abcdefgh'), 'apiToken.notFound', 'id'],
    [() => revokeApiToken(identity, tester, 'abcdefgh'), 'apiToken.notFound', 'id'],
  ] as const)
    await assert.rejects(work, is(code, field));
  assert.equal((await lastAudit(db, 1))[0]!.id, before);
  assert.deepEqual(
    (await listUsers(identity, firstPage)).rows.map(({ name, role, apiTokens }) => [name, role, apiTokens]),
    [['admin', 'admin', 1]],
  );
  await db.destroy();
});

const ways: readonly (readonly [name: string, way: (set: Scene, id: string) => Promise<unknown>])[] = [
  ['its role is taken', ({ identity }) => changeUser(identity, tester, 'admin', { role: 'operator' })],
  ['it is disabled', ({ identity }) => changeUser(identity, tester, 'admin', { disabled: true })],
  ['it is removed', ({ identity }) => removeUser(identity, tester, 'admin')],
  ['its token is revoked', ({ identity }, id) => revokeApiToken(identity, tester, id)],
];

/** Others who are there, none of whom can look after the controller. */
const others: readonly (readonly [name: string, others: (set: Scene) => Promise<unknown>])[] = [
  ['nobody else', async () => undefined],
  ['an operator', ({ make }) => make('kim', 'operator')],
  ['an administrator without a token', ({ identity }) => createUser(identity, tester, { name: 'kim', role: 'admin' })],
  ["an administrator with an operator's token", ({ make }) => make('kim', 'admin', { role: 'operator' })],
  [
    'a disabled administrator',
    async ({ make, identity }) => {
      await make('kim', 'admin');
      await changeUser(identity, tester, 'kim', { disabled: true });
    },
  ],
  [
    'an administrator whose token has ended',
    async ({ make, clock }) => {
      await make('kim', 'admin', { ttlSeconds: 60 });
      clock.unixMs += 60_000;
    },
  ],
  [
    'an administrator whose token was revoked',
    async ({ make, identity }) => revokeApiToken(identity, tester, (await make('kim', 'admin')).apiToken.id),
  ],
];

for (const [name, way] of ways)
  test(`the last administrator stays: ${name}`, async () => {
    for (const [who, prepare] of others) {
      const set = await setUp();
      await prepare(set);
      const { id } = (await listApiTokens(set.identity, 'admin', firstPage)).rows[0]!;
      await assert.rejects(way(set, id), is('user.lastAdmin'), who);
      assert.equal((await set.ask(set.first.token)).role, 'admin', who);
      await set.make('other', 'admin');
      await way(set, id);
      await set.db.destroy();
    }
  });

test('the first start makes one administrator, once', async () => {
  const { identity, first, ask, db } = await setUp();
  assert.equal(first.path, join(folder, 'admin-token'));
  assert.equal(readFileSync(first.path, 'utf8'), `${first.token}\n`);
  assert.equal(statSync(first.path).mode & 0o777, 0o600);
  assert.equal(adminNotice(first).split(first.token).length, 2, 'it is shown once');
  assert.equal(await ensureFirstAdmin(identity, folder), null);
  const { actor, role } = await ask(first.token);
  assert.deepEqual([actor.name, role, actor.tokenId], ['admin', 'admin', first.token.slice(4, 12)]);
  assert.deepEqual(
    (await lastAudit(db, 10)).map((row) => [row.actor, row.action]),
    [
      ['console', 'apiToken.create'],
      ['console', 'user.create'],
    ],
  );
  await db.destroy();
});

test('a file that cannot be written makes no administrator that nobody can be', async () => {
  const { db, unixMs } = await openDesk(join(folder, `${files++}.db`));
  const identity = new Identity(db, new Metrics(), unixMs);
  await assert.rejects(ensureFirstAdmin(identity, join(folder, 'nowhere')), is('data.unwritable'));
  assert.deepEqual((await listUsers(identity, firstPage)).rows, []);
  assert.ok((await ensureFirstAdmin(identity, folder)) !== null);
  await db.destroy();
});

test('a reset lets the administrator in again, whatever became of it', async () => {
  for (const spoil of [
    async () => undefined,
    ({ identity }: Scene) => changeUser(identity, tester, 'admin', { role: 'viewer', disabled: true }),
    ({ identity }: Scene) => removeUser(identity, tester, 'admin'),
  ]) {
    const set = await setUp();
    await set.make('kim', 'admin');
    await spoil(set);
    const { token, path } = await resetAdmin(set.identity, folder);
    assert.equal(readFileSync(path, 'utf8').trim(), token);
    assert.equal((await set.ask(token)).role, 'admin');
    assert.ok((await lastAudit(set.db, 3)).some((row) => row.action === 'admin.reset' && row.actor === 'console'));
    await set.db.destroy();
  }
});

test('the last use is written now and then, not at each request', async () => {
  const { ask, first, identity, clock, db } = await setUp();
  const id = first.token.slice(4, 12);
  const used = async () => (await findApiToken(db, id))?.lastUsedUnixMs;
  await ask(first.token);
  assert.equal(await used(), null);
  await identity.flush();
  const at = clock.unixMs;
  assert.equal(await used(), at);
  clock.unixMs += 59_999;
  await ask(first.token);
  await identity.flush();
  assert.equal(await used(), at);
  clock.unixMs += 1;
  await ask(first.token);
  await identity.flush();
  assert.equal(await used(), at + 60_000);
  await db.destroy();
});

test('tokens that ended long ago are forgotten, others not', async () => {
  const { identity, make, clock, db } = await setUp();
  await make('kim', 'viewer', { ttlSeconds: 60 });
  await revokeApiToken(identity, tester, (await make('lee', 'viewer')).apiToken.id);
  await make('max', 'viewer');
  clock.unixMs += 30 * 24 * 3_600_000;
  await identity.forget();
  assert.equal((await listApiTokens(identity, null, firstPage)).rows.length, 4);
  clock.unixMs += 61_000;
  await identity.forget();
  assert.deepEqual((await listApiTokens(identity, null, firstPage)).rows.map(({ user }) => user).sort(), [
    'admin',
    'max',
  ]);
  await db.destroy();
});

test('who was let in is asked after again', async () => {
  const { identity, make, ask, db } = await setUp();
  const { token } = await make('kim', 'operator');
  const caller = await ask(token);
  let changes = 0;
  identity.onChange(() => changes++);
  assert.deepEqual(
    [await identity.stillMay(caller, 'operator'), await identity.stillMay(caller, 'admin')],
    [true, false],
  );
  await changeUser(identity, tester, 'kim', { role: 'viewer' });
  assert.deepEqual(
    [await identity.stillMay(caller, 'operator'), await identity.stillMay(caller, 'viewer')],
    [false, true],
  );
  await changeUser(identity, tester, 'kim', { disabled: true });
  assert.equal(await identity.stillMay(caller, 'viewer'), false);
  await removeUser(identity, tester, 'kim');
  assert.equal(await identity.stillMay(caller, 'viewer'), false);
  assert.equal(changes, 3);
  await db.destroy();
});
