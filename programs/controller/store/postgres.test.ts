/** What several controllers, lost connections and a server that comes and goes do to a store in PostgreSQL. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createPeerRequest } from '@vrouter/api/rest/peers.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { sql } from 'kysely';
import { pino } from 'pino';
import { needs } from '../../../tests/world/needs.ts';
import { parseBackup } from '../backup/format.ts';
import { restoreBackup } from '../backup/restore.ts';
import { writeBackup } from '../backup/write.ts';
import { Desired } from '../desired/desired.ts';
import { Follower } from '../desired/follower.ts';
import { createPeer, removePeer } from '../desk/peers.ts';
import { createVrouter, removeVrouter } from '../desk/vrouters.ts';
import { place } from '../testing/place.ts';
import { PostgresServer } from '../testing/postgres.testing.ts';
import { openDesk, type TestDesk, tester } from '../testing/store.ts';
import type { StoreBackend } from './dialect/backend.ts';
import { postgresBackend } from './dialect/postgres.ts';
import { sqliteBackend } from './dialect/sqlite.ts';
import { migrations } from './migrations.ts';
import { openStore } from './open.ts';
import { settle } from './settings.ts';

const skip = needs('postgres');
let server: PostgresServer;
const closing: (() => Promise<unknown>)[] = [];

before(async () => {
  if (skip !== false) return;
  server = await PostgresServer.start();
  place.postgres = (name) => server.database(name);
});

after(async () => {
  for (const close of closing) await close();
  await server?.[Symbol.asyncDispose]();
});

function key(n: number): string {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32BE(n + 1);
  return bytes.toString('base64');
}

async function open(name: string): Promise<TestDesk> {
  const desk = await openDesk(name);
  closing.push(() => desk.db.destroy());
  return desk;
}

async function follow(desk: TestDesk): Promise<void> {
  const follower = new Follower(desk.desired, desk.roster, desk.feed, pino({ level: 'silent' }));
  closing.unshift(() => follower.stop());
  await follower.start();
}

const make = (desk: TestDesk, name: string) =>
  createVrouter(desk, tester, createVrouterRequest.parse({ name, networks: ['10.0.0.0/16'] }));
const peer = (desk: TestDesk, name: string, n: number) =>
  createPeer(desk, tester, 'v', createPeerRequest.parse({ name, publicKey: key(n) }));
const peersIn = (desk: TestDesk) => desk.db.selectFrom('peers').selectAll().execute();
const has = (code: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof ProblemError, String(thrown));
  assert.equal(thrown.problem.code, code, thrown.message);
  return true;
};

/** Until it is so; what is not within ten seconds will never be. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10_000; !(await holds()); await delay(10))
    assert.ok(Date.now() < end, `${what} did not come true`);
}

test('ten that open an empty store at once migrate it once', { skip }, async () => {
  const url = await server.database('together');
  const stores = await Promise.all(Array.from({ length: 10 }, () => openStore(postgresBackend(url))));
  const rows = await server.query("select value from settings where name = 'schema'", 'together');
  assert.deepEqual(rows, [{ value: String(migrations.length) }]);
  await Promise.all(stores.map((db) => db.destroy()));
});

test('a store of a newer controller is refused, an older one is migrated and pg_dump named', { skip }, async () => {
  const url = await server.database('ages');
  const told: string[] = [];
  const openAt = (schema?: number) =>
    openStore(postgresBackend(url), { told: (text) => told.push(text), ...(schema === undefined ? {} : { schema }) });
  await (await openAt(1)).destroy();
  await (await openAt()).destroy();
  assert.match(told.join(), /pg_dump/);
  await server.query(`update settings set value = '${migrations.length + 1}' where name = 'schema'`, 'ages');
  await assert.rejects(openAt(), has('data.corrupt'));
});

test('a commit is on the disk before it returns, whatever the server thinks of that', { skip }, async () => {
  const url = await server.database('durable');
  await server.query('alter database durable set synchronous_commit = off');
  const db = await openStore(postgresBackend(url));
  const { rows } = await sql<{ on: string }>`select current_setting('synchronous_commit') as "on"`.execute(db);
  assert.deepEqual(rows, [{ on: 'on' }]);
  await db.destroy();
});

test('two controllers that race on one vrouter lose nothing and give nothing twice', { skip }, async () => {
  const first = await open('race');
  await make(first, 'v');
  const second = await open('race');
  const work = [first, second].flatMap((desk, d) =>
    Array.from({ length: 40 }, (_, i) => peer(desk, `d${d}n${i}`, 100 * d + i)),
  );
  const replies = await Promise.all(work);
  const versions = replies.map(({ version }) => version).sort((a, b) => a - b);
  assert.deepEqual(
    versions,
    Array.from({ length: 80 }, (_, i) => i + 2),
    'a version each',
  );
  assert.equal(new Set(replies.flatMap((reply) => reply.peer.addresses)).size, 80);
  for (const desk of [first, second]) {
    await desk.desired.refreshAll();
    assert.equal(desk.desired.get('v').version, 81);
    assert.equal((await peersIn(desk)).length, 80);
  }
  assert.equal(first.desired.get('v').hash, second.desired.get('v').hash);
  const third = await open('race');
  assert.equal(third.desired.get('v').hash, first.desired.get('v').hash, 'and what the store has is that');
  assert.notEqual(third.desired.get('v').opsSince(2, third.desired.get('v').changes[1]!.hash), null);
});

test('a name is one controller’s, and what one has removed the other cannot change', { skip }, async () => {
  const desks = [await open('names'), await open('names')] as const;
  const tries = await Promise.allSettled(desks.map((desk) => make(desk, 'v')));
  assert.deepEqual(tries.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const [loser] = tries.filter((attempt) => attempt.status === 'rejected');
  assert.ok(has('vrouter.exists')(loser!.reason));
  await peer(desks[0], 'a', 1);
  await assert.rejects(peer(desks[1], 'a', 2), has('peer.exists'));
  await removeVrouter(desks[0], tester, 'v');
  await assert.rejects(peer(desks[1], 'b', 2), has('vrouter.notFound'));
  await make(desks[1], 'v');
  assert.deepEqual((await peer(desks[0], 'b', 2)).version, 2, 'the one that has the name now');
});

test('what one controller does the other hears at once, and again after its connection was lost', {
  skip,
}, async () => {
  const [writer, reader] = [await open('heard'), await open('heard')];
  await follow(reader);
  await make(writer, 'v');
  await until('a new vrouter', () => reader.desired.all().length === 1);
  const head = reader.desired.get('v');
  let woken = 0;
  head.subscribe(() => woken++);
  const { version } = await peer(writer, 'a', 1);
  const committed = performance.now();
  await until('a change', () => head.version === version);
  const ms = performance.now() - committed;
  assert.equal(woken, 1, 'who waits for news is woken');
  assert.ok(ms < 1000, `well before the slow look: ${ms} ms`);

  await server.query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'");
  await removePeer(writer, tester, 'v', 'a');
  await until('what was said while nobody listened', () => head.version === version + 1);
  await removeVrouter(writer, tester, 'v');
  await until('the end of the vrouter', () => reader.desired.all().length === 0);
  assert.ok(head.gone);
});

test('a connection that is lost in the middle of a change leaves nothing half done', { skip }, async () => {
  const desk = await open('cut');
  await make(desk, 'v');
  const before = desk.desired.get('v').hash;
  const cut = desk.desired.change('v', tester, 'test', async (tx, draft) => {
    draft.put({ kind: 'vrf', name: 'blue' });
    await tx.deleteFrom('networks').execute();
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
    await server.query(`select pg_terminate_backend(${rows[0]!.pid})`);
  });
  await assert.rejects(cut, has('store.unavailable'));
  assert.equal(desk.desired.get('v').hash, before);
  assert.equal((await desk.db.selectFrom('networks').selectAll().execute()).length, 1);
  assert.equal((await peer(desk, 'a', 1)).version, 2, 'and the next one goes through');
});

test('a change whose answer was lost on the way is found again', { skip }, async () => {
  const desk = await open('lost');
  const other = await open('lost');
  await make(desk, 'v');
  await peer(other, 'a', 1);
  assert.equal(desk.desired.get('v').version, 1, 'as if its own commit had been made and not been answered');
  assert.equal((await peer(desk, 'b', 2)).version, 3);
  assert.equal((await peersIn(desk)).length, 2);
});

test('while the server is away changes are refused, and made once it is back', { skip }, async () => {
  const desk = await open('away');
  const other = await open('away');
  await follow(other);
  await make(desk, 'v');
  await server.down('SIGQUIT');
  await assert.rejects(peer(desk, 'a', 1), has('store.unavailable'));
  await assert.rejects(peersIn(desk), has('store.unavailable'));
  assert.equal(desk.desired.get('v').version, 1, 'what polls are answered from is still there');
  await server.up();
  assert.equal((await peer(desk, 'a', 1)).version, 2);
  await until('the other to hear of it', () => other.desired.all()[0]?.version === 2);
});

test('a backup of SQLite becomes a store in PostgreSQL, and back, and nothing is another', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-move-'));
  closing.push(async () => rmSync(folder, { recursive: true }));
  const data = (name: string) => join(folder, name);
  mkdirSync(join(data('a'), 'ca'), { recursive: true, mode: 0o700 });
  writeFileSync(join(data('a'), 'ca', 'root.pem'), 'a key');
  const [source, url] = [sqliteBackend(join(data('a'), 'controller.db')), await server.database('moved')];
  const db = await openStore(source);
  await settle(db, 'controllerId', 'one');
  const desired = new Desired(db, () => 1_800_000_000_000);
  const desk = { ...(await open('unused')), db, desired };
  await make(desk, 'v');
  // More than a page of a table.
  for (let n = 0; n < 600; n++) await peer(desk, `p${n}`, n);
  await db.destroy();

  const takes = async (name: string, backend: StoreBackend) => {
    const path = join(folder, name);
    await writeBackup(data(name === 'first' ? 'a' : name === 'second' ? 'b' : 'c'), backend, path, 1);
    const parsed = parseBackup(readFileSync(path, 'utf8'));
    assert.ok(parsed.ok);
    return parsed.value.parts.filter((part) => !('table' in part && part.table === 'settings'));
  };
  const first = await takes('first', sqliteBackend(join(data('a'), 'controller.db')));
  await restoreBackup(data('b'), url, join(folder, 'first'), 2);
  const second = await takes('second', postgresBackend(url));
  await restoreBackup(data('c'), null, join(folder, 'second'), 3);
  const third = await takes('third', sqliteBackend(join(data('c'), 'controller.db')));
  const unmarked = (parts: unknown) => JSON.stringify(parts).replaceAll('"restoredVersion":601', '"restoredVersion":0');
  assert.equal(unmarked(second), unmarked(first));
  assert.equal(unmarked(third), unmarked(first));
  await assert.rejects(restoreBackup(data('d'), url, join(folder, 'first'), 4), has('data.inUse'));

  // The database goes on where the numbers of the rows end.
  place.postgres = async () => url;
  const moved = await open('moved');
  place.postgres = (name) => server.database(name);
  assert.equal((await peer(moved, 'next', 601)).version, 602);
});

test('a database that is not there, and one that lets nobody in, are said so', { skip }, async () => {
  const openUrl = (url: string) => openStore(postgresBackend(url));
  await assert.rejects(openUrl(server.url('nobody_made_it')), has('store.unavailable'));
  await assert.rejects(openUrl('postgres:///x?host=/nonexistent&user=u'), has('store.unavailable'));
});
