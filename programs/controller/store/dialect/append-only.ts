/** Triggers that refuse to change or remove rows of a table: rows are only ever added, whoever holds the connection. */
import { type Kysely, SqliteAdapter, sql } from 'kysely';

/** `table` is a name of our schema, never input. */
export async function appendOnly(db: Kysely<unknown>, table: string): Promise<void> {
  const isSqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  for (const text of isSqlite ? onSqlite(table) : onPostgres(table)) await sql.raw(text).execute(db);
}

function onSqlite(table: string): string[] {
  return ['UPDATE', 'DELETE'].map(
    (verb) =>
      `CREATE TRIGGER "${table}No${verb}" BEFORE ${verb} ON "${table}" BEGIN SELECT RAISE(ABORT, 'rows of ${table} are only ever added'); END`,
  );
}

function onPostgres(table: string): string[] {
  return [
    `CREATE FUNCTION "${table}AppendOnly"() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'rows of ${table} are only ever added'; END $$`,
    `CREATE TRIGGER "${table}AppendOnly" BEFORE UPDATE OR DELETE OR TRUNCATE ON "${table}"
      FOR EACH STATEMENT EXECUTE FUNCTION "${table}AppendOnly"()`,
  ];
}
