/** node:sqlite in the shape that Kysely's SQLite dialect asks for. The only file that knows which database it is. */
import { chmodSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely';

/** Prepared statements kept for reuse; preparing costs more than running most of them. */
const STATEMENTS_MAX = 200;

/** Opens the file, mode 0600, WAL, every commit on the disk before it returns. Throws `data.unwritable`. */
export function sqliteDialect(path: string): SqliteDialect {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(path);
    chmodSync(path, 0o600);
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 2000;',
    );
  } catch (thrown) {
    throw new ProblemError(problem('data.unwritable', `cannot open ${path}: ${String(thrown)}`));
  }
  return new SqliteDialect({ database: shaped(db) });
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
