/** The chain of the audit: what breaks it is found, what does not is not; several writers make one. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Kysely } from 'kysely';
import { type AuditEntry, lastAudit, recordAudit, verifyAudit, writeAudit } from './audit.ts';
import { GENESIS, hashRow, headText, parseHead } from './chain.ts';
import { sqliteBackend } from './dialect/sqlite.ts';
import { migrations } from './migrations.ts';
import { openStore } from './open.ts';
import type { Db } from './schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-audit-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const open = (name: string): Promise<Db> => openStore(sqliteBackend(path(name)));

const entry = (n: number, more: Partial<AuditEntry> = {}): AuditEntry => ({
  atUnixMs: 1_800_000_000_000 + n,
  actor: 'kim',
  tokenId: 'k3x9q2ab',
  source: '127.0.0.1',
  action: 'peer.create',
  subject: `p${n}`,
  outcome: 'done',
  reason: null,
  ...more,
});

/** Ten rows, good. */
async function ten(name: string): Promise<void> {
  const db = await open(name);
  for (let n = 1; n <= 10; n++) await recordAudit(db, entry(n));
  await db.destroy();
}

/** What somebody does who has the file, with and without the triggers. */
function tamper(name: string, text: string, armed = false): void {
  const raw = new DatabaseSync(path(name));
  try {
    if (!armed) raw.exec('DROP TRIGGER "auditNoUPDATE"; DROP TRIGGER "auditNoDELETE";');
    raw.exec(text);
  } finally {
    raw.close();
  }
}

test('the hash of a row never changes: rows of long ago must come out the same', () => {
  // As sha256sum(1) says of 32 zero bytes and
  // {"action":"peer.create","actor":"kim","atUnixMs":1800000000001,"id":1,"outcome":"done","reason":null,"source":"127.0.0.1",
  // "subject":"p1","tokenId":"k3x9q2ab"}, without the line end.
  const first = 'd13415be50aa8d21273cd5e1a2040cebc8d7a1462475c41fad25a831570de95d';
  assert.equal(hashRow(GENESIS, { id: 1, ...entry(1) }), first);
  const wide = { id: '1', atUnixMs: '1800000000001' } as unknown as { id: number; atUnixMs: number };
  assert.equal(hashRow(GENESIS, { ...entry(1), ...wide }), first, 'as a dialect may hand out its wide integers');
});

test('rows are chained in the order in which they are written', async () => {
  await ten('order.db');
  const db = await open('order.db');
  const rows = (await lastAudit(db, 100)).reverse();
  assert.deepEqual(
    rows.map((row) => row.id),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  let before = GENESIS;
  for (const row of rows) {
    assert.equal(row.hash, hashRow(before, row));
    before = row.hash;
  }
  assert.deepEqual(await verifyAudit(db), { intact: true, rows: 10, head: { id: 10, hash: before }, broken: null });
  assert.equal((await verifyAudit(db, { id: 4, hash: rows[3]!.hash })).intact, true);
  await db.destroy();
});

test('a row falls with the transaction that it tells of, and the chain goes on without it', async () => {
  await ten('rollback.db');
  const db = await open('rollback.db');
  await assert.rejects(
    db.transaction().execute(async (tx) => {
      await writeAudit(tx, entry(11));
      throw new Error('no');
    }),
  );
  assert.equal((await verifyAudit(db)).rows, 10);
  await recordAudit(db, entry(12));
  const { intact, head } = await verifyAudit(db);
  assert.deepEqual([intact, head.id], [true, 11]);
  await db.destroy();
});

test('the database itself refuses to change and to remove rows', async () => {
  await ten('armed.db');
  for (const text of [
    "UPDATE audit SET actor = 'eve' WHERE id = 3",
    'DELETE FROM audit WHERE id = 10',
    'DELETE FROM audit',
  ])
    assert.throws(() => tamper('armed.db', text, true), /only ever added/, text);
  const db = await open('armed.db');
  assert.equal((await verifyAudit(db)).rows, 10);
  await db.destroy();
});

for (const [name, text, id, reason] of [
  ['a row changed', "UPDATE audit SET actor = 'eve' WHERE id = 4", 4, /not the row/],
  ['its time changed', 'UPDATE audit SET atUnixMs = atUnixMs + 1 WHERE id = 4', 4, /not the row/],
  ['its token changed', 'UPDATE audit SET tokenId = NULL WHERE id = 4', 4, /not the row/],
  ['the first row changed', "UPDATE audit SET subject = '' WHERE id = 1", 1, /not the row/],
  ['the last row changed', "UPDATE audit SET outcome = 'refused' WHERE id = 10", 10, /not the row/],
  ['a hash changed', `UPDATE audit SET hash = '${GENESIS}' WHERE id = 6`, 6, /not the row/],
  ['a row taken out', 'DELETE FROM audit WHERE id = 5', 6, /one before it was removed/],
  ['the first rows taken out', 'DELETE FROM audit WHERE id <= 3', 4, /one before it was removed/],
  ['the last rows cut off', 'DELETE FROM audit WHERE id > 7', 8, /all up to 10 were removed/],
  ['all rows cut off', 'DELETE FROM audit', 1, /all up to 10 were removed/],
  [
    'two rows exchanged',
    'UPDATE audit SET id = 99 WHERE id = 4; UPDATE audit SET id = 4 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = 99',
    4,
    /not the row/,
  ],
  [
    'a row put in behind the last',
    "INSERT INTO audit (id, atUnixMs, actor, action, outcome, hash) VALUES (11, 1, 'eve', 'x', 'done', '00')",
    11,
    /past the controller/,
  ],
  [
    'the head set back',
    `UPDATE settings SET value = '${headText({ id: 10, hash: GENESIS })}' WHERE name = 'auditHead'`,
    10,
    /last row/,
  ],
  ['the head removed', "DELETE FROM settings WHERE name = 'auditHead'", 11, /mark/],
] as const)
  test(`found: ${name}`, async () => {
    const file = `${name.replaceAll(' ', '-')}.db`;
    await ten(file);
    tamper(file, text);
    const db = await open(file);
    const { intact, broken } = await verifyAudit(db);
    assert.equal(intact, false);
    assert.equal(broken?.id, id);
    assert.match(broken.reason, reason);
    await db.destroy();
  });

test('a chain that somebody wrote anew from its middle is whole, but not the one that was noted', async () => {
  await ten('noted.db');
  const before = await open('noted.db');
  const { head } = await verifyAudit(before);
  await before.destroy();
  tamper(
    'noted.db',
    `DELETE FROM audit WHERE id > 6; UPDATE settings SET value = (SELECT id || ' ' || hash FROM audit WHERE id = 6) WHERE name = 'auditHead'`,
  );
  const db = await open('noted.db');
  assert.equal((await verifyAudit(db)).intact, true, 'it cannot be seen from the file alone');
  assert.deepEqual((await verifyAudit(db, head)).broken?.id, 10, 'gone');
  for (let n = 7; n <= 12; n++) await recordAudit(db, entry(n, { actor: 'eve' }));
  assert.equal((await verifyAudit(db)).intact, true);
  const { intact, broken } = await verifyAudit(db, head);
  assert.deepEqual([intact, broken?.id], [false, 10], 'written anew');
  await db.destroy();
});

test('rows of before the chain become its beginning', async () => {
  const { dialect } = sqliteBackend(path('old.db'));
  const raw = new Kysely<unknown>({ dialect });
  await raw.schema
    .createTable('settings')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute();
  await migrations[0]!(raw);
  await raw.destroy();
  const db = new DatabaseSync(path('old.db'));
  db.exec("INSERT INTO settings VALUES ('schema', '1')");
  const insert = db.prepare(
    "INSERT INTO audit (atUnixMs, actor, action, subject, outcome) VALUES (?, 'rest', 'peer.create', 'é', 'done')",
  );
  for (let n = 0; n < 2345; n++) insert.run(n);
  db.exec('DELETE FROM audit WHERE id = 77');
  db.close();
  const store = await open('old.db');
  const { intact, rows, head } = await verifyAudit(store);
  assert.deepEqual([intact, rows, head.id], [true, 2344, 2345]);
  await recordAudit(store, entry(1));
  assert.equal((await verifyAudit(store)).head.id, 2346);
  assert.equal((await lastAudit(store, 2))[1]!.tokenId, null);
  await store.destroy();
  copyFileSync(path('old.db'), path('old-spoilt.db'));
  tamper('old-spoilt.db', "UPDATE audit SET subject = 'e' WHERE id = 2000");
  const spoilt = await open('old-spoilt.db');
  assert.equal((await verifyAudit(spoilt)).broken?.id, 2000);
  await spoilt.destroy();
});

test('several writers make one chain', { timeout: 60_000 }, async () => {
  await ten('writers.db');
  const program = `
    const { openStore } = await import(${JSON.stringify(new URL('open.ts', import.meta.url).href)});
    const { sqliteBackend } = await import(${JSON.stringify(new URL('dialect/sqlite.ts', import.meta.url).href)});
    const { recordAudit } = await import(${JSON.stringify(new URL('audit.ts', import.meta.url).href)});
    const [path, actor] = process.argv.slice(1);
    const db = await openStore(sqliteBackend(path));
    const entry = { tokenId: null, source: null, action: 'x', subject: null, outcome: 'done', reason: null };
    for (let n = 0; n < 60; n++) await recordAudit(db, { ...entry, actor, atUnixMs: n });
    await db.destroy();
  `;
  const writers = ['a', 'b', 'c'].map((actor) =>
    spawn(process.execPath, ['--input-type=module', '-e', program, path('writers.db'), actor], { stdio: 'inherit' }),
  );
  for (const [status] of await Promise.all(writers.map((writer) => once(writer, 'exit')))) assert.equal(status, 0);
  const db = await open('writers.db');
  const { intact, rows } = await verifyAudit(db);
  assert.deepEqual([intact, rows], [true, 190]);
  const order = (await lastAudit(db, 180)).map((row) => row.actor).join('');
  assert.match(order, /(ab|ba|bc|cb|ac|ca)/, 'they did write at the same time');
  await db.destroy();
});

test('whatever a caller had put into a reason, it is read as it was hashed', async () => {
  const db = await open('texts.db');
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 20 }), async (text) => {
      await recordAudit(db, entry(1, { subject: `${text}\ud800`, reason: `\0${text}`, outcome: 'refused' }));
    }),
    { numRuns: 100 },
  );
  assert.deepEqual((await verifyAudit(db)).broken, null);
  await db.destroy();
});

test('a head is read as it was written', () => {
  const head = { id: 12, hash: 'ab'.repeat(32) };
  assert.deepEqual(parseHead(headText(head)), head);
  for (const text of ['', '12', `-1 ${head.hash}`, `12 ${head.hash}0`, `12 ${head.hash.toUpperCase()}`])
    assert.equal(parseHead(text), null, text);
});
