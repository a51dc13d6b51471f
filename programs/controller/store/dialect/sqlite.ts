/** node:sqlite in the shape that Kysely's SQLite dialect asks for. The only file that knows which database it is. */
import { chmodSync, statSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely';

/** Prepared statements kept for reuse; preparing costs more than running most of them. */
const STATEMENTS_MAX = 200;
/** sqlite.org/rescode.html */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Opens the file, looks whether it is whole, mode 0600, WAL, every commit on the disk before it returns. Throws `data.corrupt`, `data.unwritable`. */
export function sqliteDialect(path: string): SqliteDialect {
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
    if (isCorrupt(thrown)) throw corrupt(path, thrown.message);
    throw new ProblemError(problem('data.unwritable', `cannot open ${path}: ${String(thrown)}`));
  }
  return new SqliteDialect({ database: shaped(db) });
}

/** SQLite itself sees only what it happens to read. `settled`: there is no log, so nothing that is missing can be in it. */
function checkWhole(db: DatabaseSync, path: string, settled: boolean): void {
  const ask = (what: string): unknown => Object.values(db.prepare(`PRAGMA ${what}`).get() ?? {})[0];
  if (settled && statSync(path).size % Number(ask('page_size')) !== 0) throw corrupt(path, 'its end is missing');
  const found = ask('quick_check(1)');
  if (found !== 'ok') throw corrupt(path, String(found));
}

function corrupt(path: string, why: string): ProblemError {
  return new ProblemError(
    problem('data.corrupt', `${path} is no database, or a damaged one (${why}); restore it from a backup`),
  );
}

/** What SQLite says of a file that is something else, was cut short or overwritten. The low byte is the code, the rest its shade. */
function isCorrupt(thrown: unknown): thrown is Error {
  const code = thrown instanceof Error && 'errcode' in thrown ? Number(thrown.errcode) & 0xff : 0;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
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
