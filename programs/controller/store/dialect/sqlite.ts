/** node:sqlite in the shape that Kysely's SQLite dialect asks for. The only file that knows which database it is. */
import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type Dialect, type SqliteDatabase, SqliteDialect, type SqliteStatement, sql } from 'kysely';
import type { Db, Tx } from '../schema.ts';
import { alone, type StoreBackend } from './backend.ts';
import { guarded } from './guarded.ts';

/** Prepared statements kept for reuse; preparing costs more than running most of them. */
const STATEMENTS_MAX = 200;
/** sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
const AWAY = [SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN];

export function sqliteBackend(path: string): StoreBackend {
  return {
    dialect: sqliteDialect(path),
    where: path,
    feed: alone,
    // A write takes the one lock there is, also when it changes nothing; whoever comes second waits, and reads anew.
    async lockMigrations(tx) {
      await sql`update settings set value = value where name = 'schema'`.execute(tx);
    },
    saveBefore: (db, schema) => saveBefore(db, path, schema),
    // AUTOINCREMENT looks at the greatest number that there was.
    settleNumbers: async (_tx: Tx) => {},
  };
}

/** A copy beside the file, whole and on the disk before it has its name. */
async function saveBefore(db: Db, path: string, schema: number): Promise<string> {
  const copy = `${path}.schema-${schema}`;
  const part = `${copy}.part`;
  rmSync(part, { force: true });
  await sql`vacuum into ${part}`.execute(db);
  chmodSync(part, 0o600);
  const file = openSync(part, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(part, copy);
  return `a copy of ${path} as it was before this update is in ${copy}`;
}

/** Opens the file, looks whether it is whole, mode 0600, WAL, every commit on the disk before it returns. Throws `data.corrupt`, `data.unwritable`. */
export function sqliteDialect(path: string): Dialect {
  let db: DatabaseSync | null = null;
  try {
    const settled = (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0;
    db = new DatabaseSync(path);
    chmodSync(path, 0o600);
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000;',
    );
    checkWhole(db, path, settled);
  } catch (thrown) {
    db?.close();
    if (thrown instanceof ProblemError) throw thrown;
    if (thrown instanceof Error && isCorrupt(thrown)) throw corrupt(path, thrown.message);
    throw new ProblemError(problem('data.unwritable', `cannot open ${path}: ${String(thrown)}`));
  }
  return guarded(new SqliteDialect({ database: shaped(db) }), (thrown) => named(thrown, path));
}

/** SQLite itself sees only what it happens to read. `settled`: there is no log, so nothing that is missing can be in it. */
function checkWhole(db: DatabaseSync, path: string, settled: boolean): void {
  const ask = (what: string): unknown => Object.values(db.prepare(`PRAGMA ${what}`).get() ?? {})[0];
  if (settled && statSync(path).size % Number(ask('page_size')) !== 0) throw corrupt(path, 'its end is missing');
  const found = ask('quick_check(1)');
  // A heading, then a line for each fault.
  if (found !== 'ok') throw corrupt(path, String(found).trim().split('\n').at(-1)!);
}

function corrupt(path: string, why: string): ProblemError {
  return new ProblemError(
    problem('data.corrupt', `${path} is no database, or a damaged one (${why}); restore it from a backup`),
  );
}

/** The low byte is the code, the rest its shade. */
function codeOf(thrown: Error): number {
  return 'errcode' in thrown ? Number(thrown.errcode) & 0xff : 0;
}

/** What SQLite says of a file that is something else, was cut short or overwritten. */
function isCorrupt(thrown: Error): boolean {
  return [SQLITE_CORRUPT, SQLITE_NOTADB].includes(codeOf(thrown));
}

function named(thrown: unknown, path: string): unknown {
  if (!(thrown instanceof Error) || thrown instanceof ProblemError) return thrown;
  if (isCorrupt(thrown)) return corrupt(path, thrown.message);
  if (!AWAY.includes(codeOf(thrown))) return thrown;
  return new ProblemError(problem('store.unavailable', `${path} cannot be used now: ${thrown.message}`));
}

function shaped(db: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => db.close(),
    prepare(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      if (statements.size >= STATEMENTS_MAX) statements.clear();
      const statement = shapedStatement(db.prepare(sql));
      statements.set(sql, statement);
      return statement;
    },
  };
}

function shapedStatement(statement: StatementSync): SqliteStatement {
  const values = (parameters: readonly unknown[]): SQLInputValue[] => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...values(parameters)),
    run: (parameters) => statement.run(...values(parameters)),
    iterate: (parameters) => statement.iterate(...values(parameters)),
  };
}
