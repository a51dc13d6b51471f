import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { sql } from 'kysely';
import { sqliteBackend } from './dialect/sqlite.ts';
import { migrations } from './migrations.ts';
import { type OpenOptions, openStore, schemaOf } from './open.ts';
import { readSetting, settle } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const open = (name: string, options: OpenOptions = {}) => openStore(sqliteBackend(join(folder, name)), options);
const has = (code: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof ProblemError, String(thrown));
  assert.equal(thrown.problem.code, code, thrown.message);
  return true;
};

test('a fact that is settled stays, over restarts', async () => {
  const first = await open('a.db');
  assert.equal(await readSetting(first, 'controllerId'), null);
  assert.equal(await settle(first, 'controllerId', 'one'), 'one');
  await first.destroy();
  const second = await open('a.db');
  assert.equal(await settle(second, 'controllerId', 'two'), 'one');
  await second.destroy();
});

test('a store of a newer controller is refused with advice', async () => {
  await (await open('newer.db')).destroy();
  const raw = new DatabaseSync(join(folder, 'newer.db'));
  raw.exec(`UPDATE settings SET value = '${migrations.length + 1}' WHERE name = 'schema'`);
  raw.close();
  await assert.rejects(
    () => open('newer.db'),
    (thrown) =>
      thrown instanceof ProblemError && thrown.problem.code === 'data.corrupt' && /newer/.test(thrown.message),
  );
});

test('what is no database is refused and left as it is', async () => {
  writeFileSync(join(folder, 'text.db'), 'not a database, but long enough to be taken for one by its size alone');
  await assert.rejects(
    async () => open('text.db'),
    (thrown) => thrown instanceof ProblemError && thrown.problem.code === 'data.corrupt',
  );
});

for (const [name, spoil] of [
  ['cut in the middle', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ['cut within a page', (bytes: Buffer) => bytes.subarray(0, bytes.length - 100)],
  ['cut within its header', (bytes: Buffer) => bytes.subarray(0, 60)],
  ['overwritten at its head', (bytes: Buffer) => Buffer.concat([Buffer.alloc(512, 0xa5), bytes.subarray(512)])],
  [
    'overwritten in its schema',
    (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 100), bytes.fill(0xa5, 100).subarray(100)]),
  ],
] as const)
  test(`a store that is ${name} is refused as corrupt`, async () => {
    const path = join(folder, 'spoilt.db');
    rmSync(path, { force: true });
    await (await open('spoilt.db')).destroy();
    writeFileSync(path, spoil(readFileSync(path)));
    await assert.rejects(
      async () => open('spoilt.db'),
      (thrown) =>
        thrown instanceof ProblemError && thrown.problem.code === 'data.corrupt' && /backup/.test(thrown.message),
    );
  });

test('commits are on the disk before they return', async () => {
  const db = await open('sync.db');
  const ask = async (name: string) => Object.values((await sql.raw(`PRAGMA ${name}`).execute(db)).rows[0] as object)[0];
  assert.equal(await ask('journal_mode'), 'wal');
  assert.equal(await ask('synchronous'), 2, 'FULL');
  assert.equal(await ask('foreign_keys'), 1);
  await db.destroy();
});

test('before a migration the store as it was is put aside, whole and for its owner alone', async () => {
  const old = await open('old.db', { schema: 1 });
  await settle(old, 'controllerId', 'one');
  await old.destroy();
  const told: string[] = [];
  const db = await open('old.db', { told: (text) => told.push(text) });
  assert.equal(await schemaOf(db), migrations.length);
  await db.destroy();
  const copy = join(folder, 'old.db.schema-1');
  assert.match(told.join(), /old\.db\.schema-1/);
  assert.equal(statSync(copy).mode & 0o777, 0o600);
  const kept = await open('old.db.schema-1', { schema: 1 });
  assert.equal(await schemaOf(kept), 1);
  assert.equal(await readSetting(kept, 'controllerId'), 'one');
  await kept.destroy();
  await (await open('old.db', { told: () => assert.fail('and once is enough') })).destroy();
});

test('a store that another program has locked is unavailable, and used again afterwards', async () => {
  const db = await open('locked.db');
  const other = new DatabaseSync(join(folder, 'locked.db'));
  other.exec('BEGIN IMMEDIATE');
  await assert.rejects(settle(db, 'controllerId', 'one'), has('store.unavailable'));
  other.exec('COMMIT');
  other.close();
  assert.equal(await settle(db, 'controllerId', 'two'), 'two');
  await db.destroy();
});

test('a full disk leaves nothing half done, and the store goes on when there is room', async () => {
  const db = await open('full.db');
  await sql`PRAGMA wal_checkpoint(TRUNCATE)`.execute(db);
  const pages = (await sql<{ page_count: number }>`PRAGMA page_count`.execute(db)).rows[0]!.page_count;
  await sql.raw(`PRAGMA max_page_count = ${pages + 2}`).execute(db);
  const fill = (name: string) =>
    db.transaction().execute(async (tx) => {
      await tx
        .insertInto('settings')
        .values({ name: `${name} first`, value: 'x' })
        .execute();
      await tx
        .insertInto('settings')
        .values({ name, value: 'x'.repeat(100_000) })
        .execute();
    });
  await assert.rejects(fill('big'), has('store.unavailable'));
  const names = await db.selectFrom('settings').select('name').where('name', 'like', 'big%').execute();
  assert.deepEqual(names, []);
  await sql.raw('PRAGMA max_page_count = 1000000').execute(db);
  await fill('big');
  await db.destroy();
});
