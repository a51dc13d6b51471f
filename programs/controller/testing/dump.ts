/** Everything that a store has, as text; for tests that want nothing to be different. */
import { sql } from 'kysely';
import { keyOf, tableNames } from '../backup/tables.ts';
import type { Db } from '../store/schema.ts';

/** Columns that any request moves, whatever it asks for. */
const RESTLESS: ReadonlySet<string> = new Set(['lastUsedUnixMs']);

/** By table, its rows in the order of their keys. */
export async function dumpStore(db: Db): Promise<{ [table: string]: string[] }> {
  const dump: { [table: string]: string[] } = {};
  for (const table of tableNames) {
    const columns = sql.join(keyOf(table).map((column) => sql.ref(column)));
    const { rows } = await sql<object>`select * from ${sql.table(table)} order by ${columns}`.execute(db);
    dump[table] = rows.map((row) => JSON.stringify(row, (name, value: unknown) => (RESTLESS.has(name) ? 0 : value)));
  }
  return dump;
}
