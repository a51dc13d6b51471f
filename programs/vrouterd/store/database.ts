/**
 * The gateway's own memory: one SQLite file. What the daemon must know to apply its last good configuration before anyone has been
 * heard. Keys are not in it; they are files of their own (see ../agent/identity.ts).
 */
import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ProblemError, problem } from '@vrouter/core/problem.ts';

/** Each entry leads from version i to i + 1. Never edited once landed: add another. */
const migrations: readonly string[] = [
  `CREATE TABLE controller_state (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     node_id TEXT NOT NULL, name TEXT NOT NULL, assigned_ip TEXT, wireguard_public_key TEXT NOT NULL,
     controller_url TEXT NOT NULL, controller_id TEXT NOT NULL, root_fingerprint TEXT NOT NULL, join_token_hash TEXT NOT NULL
   ) STRICT;
   CREATE TABLE interfaces (
     name TEXT PRIMARY KEY, sw_if_index INTEGER, type TEXT NOT NULL, endpoints TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE routes (
     vrf TEXT NOT NULL, prefix TEXT NOT NULL, next_hop TEXT NOT NULL, PRIMARY KEY (vrf, prefix)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE sync_state (
     id INTEGER PRIMARY KEY CHECK (id = 1), last_version INTEGER NOT NULL, state_hash TEXT, last_poll_unix_ms INTEGER
   ) STRICT;
   CREATE TABLE intents (
     age INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (source, key)
   ) STRICT;
   CREATE TABLE allocations (
     kind TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (kind, name), UNIQUE (kind, number)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE handshake_timestamps (
     link TEXT NOT NULL, public_key TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (link, public_key)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE successions (
     link TEXT NOT NULL, public_key TEXT NOT NULL, rotation TEXT NOT NULL, PRIMARY KEY (link, public_key)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE controller_addresses (
     url TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (source, url)
   ) STRICT, WITHOUT ROWID;
   ALTER TABLE controller_state ADD COLUMN deleted_unix_ms INTEGER;`,
  `CREATE TABLE ledger (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
  'ALTER TABLE intents ADD COLUMN note TEXT;',
];

/** A database that ends with the process, for tests. */
const MEMORY = ':memory:';

/** Opens (and, when it is older, migrates) the database at `path`, mode 0600. Throws `data.corrupt`, or `data.unwritable`. */
export function openDatabase(path: string): DatabaseSync {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(path);
    if (path !== MEMORY) chmodSync(path, 0o600);
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;');
    checkWhole(db, path);
  } catch (thrown) {
    if (thrown instanceof ProblemError) throw thrown;
    const why = databaseProblem(path, thrown);
    if (why?.problem.code === 'data.corrupt') throw why;
    throw new ProblemError(problem('data.unwritable', `cannot open ${path}: ${String(thrown)}`));
  }
  const at = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  if (at > migrations.length) {
    db.close();
    const hint = `${path} was written by a newer vrouterd (schema ${at}, this one knows ${migrations.length}); start that one`;
    throw new ProblemError(problem('data.corrupt', hint));
  }
  for (let version = at; version < migrations.length; version++)
    transaction(db, () => db.exec(`${migrations[version]}; PRAGMA user_version = ${version + 1}`));
  return db;
}

/** SQLite's words for "not now": BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN; https://sqlite.org/rescode.html. */
const AWAY = [5, 6, 8, 10, 13, 14];
/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const CORRUPT = [11, 26];

/** A ProblemError `data.corrupt` or `data.unwritable` when that is what SQLite says, whenever it finds out; else null. */
export function databaseProblem(path: string, thrown: unknown): ProblemError | null {
  if (!(thrown instanceof Error) || !('errcode' in thrown)) return null;
  // The low byte is the code, the rest its shade.
  const code = Number(thrown.errcode) & 0xff;
  if (CORRUPT.includes(code)) return corrupt(path, thrown.message);
  if (!AWAY.includes(code)) return null;
  const advice = 'nothing of it was stored; packets go on, and so does the rest once it can be written again';
  return new ProblemError(problem('data.unwritable', `${path} cannot be written now (${thrown.message}); ${advice}`));
}

function corrupt(path: string, why: string): ProblemError {
  const advice = 'restore it from a backup, or move it away and join again with a new join string';
  return new ProblemError(problem('data.corrupt', `${path} is damaged (${why}); ${advice}`));
}

/** SQLite itself sees only what it happens to read. */
function checkWhole(db: DatabaseSync, path: string): void {
  const found = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
  // A heading, then a line for each fault.
  if (found !== 'ok') throw corrupt(path, String(found).trim().split('\n').at(-1)!);
}

/** Runs `work` in one transaction: all of it, or nothing. Throws ProblemError `data.unwritable` or `data.corrupt`. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  return named(db, () => {
    db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      db.exec('COMMIT');
      return result;
    } catch (thrown) {
      // A full disk may have undone it already.
      if (db.isTransaction) db.exec('ROLLBACK');
      throw thrown;
    }
  });
}

/** Runs `work`, and turns what SQLite says of its file into a ProblemError. */
export function named<T>(db: DatabaseSync, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw databaseProblem(db.location() ?? MEMORY, thrown) ?? thrown;
  }
}
