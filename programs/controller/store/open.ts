/** Opens the store and brings its schema up to date, one migration per transaction. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type Dialect, Kysely } from 'kysely';
import { migrations } from './migrations.ts';
import type { Db, Tables } from './schema.ts';

const SCHEMA = 'schema';

/** Throws `data.corrupt` when a newer controller has written it, or when it is no database of ours. */
export async function openStore(dialect: Dialect, where: string): Promise<Db> {
  const db = new Kysely<Tables>({ dialect });
  try {
    await db.schema
      .createTable('settings')
      .ifNotExists()
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('value', 'text', (c) => c.notNull())
      .execute();
    const row = await db.selectFrom('settings').select('value').where('name', '=', SCHEMA).executeTakeFirst();
    const at = Number(row?.value ?? 0);
    if (at > migrations.length) {
      const hint = `${where} was written by a newer vrouter-controller (schema ${at}, this one knows ${migrations.length}); start that one, or restore a backup made before the update`;
      throw new ProblemError(problem('data.corrupt', hint));
    }
    for (let version = at; version < migrations.length; version++) {
      await db.transaction().execute(async (tx) => {
        await migrations[version]!(tx as unknown as Kysely<unknown>);
        const value = String(version + 1);
        await tx
          .insertInto('settings')
          .values({ name: SCHEMA, value })
          .onConflict((c) => c.column('name').doUpdateSet({ value }))
          .execute();
      });
    }
    return db;
  } catch (thrown) {
    await db.destroy();
    if (thrown instanceof ProblemError) throw thrown;
    const hint = `${where} cannot be used: ${thrown instanceof Error ? thrown.message : String(thrown)}; restore it from a backup`;
    throw new ProblemError(problem('data.corrupt', hint));
  }
}
