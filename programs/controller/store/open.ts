/** Opens the store and brings its schema up to date: all steps in one transaction, one controller at a time, after a copy was put aside. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { HandleEmptyInListsPlugin, Kysely, replaceWithNoncontingentExpression } from 'kysely';
import type { StoreBackend } from './dialect/backend.ts';
import { migrations } from './migrations.ts';
import type { Db, Reader, Tables } from './schema.ts';

const SCHEMA = 'schema';

export interface OpenOptions {
  /** Hears what was put aside before a migration. */
  readonly told?: (text: string) => void;
  /** Brings an empty store to this schema instead of the newest one: what a restore starts from. */
  readonly schema?: number;
}

/** Throws `data.corrupt` when a newer controller has written it, or when it is no database of ours; `store.unavailable`. */
export async function openStore(backend: StoreBackend, options: OpenOptions = {}): Promise<Db> {
  const { where } = backend;
  const db = kysely(backend);
  try {
    await createSettings(db, backend);
    const before = await schemaOf(db);
    refuseNewer(before, where);
    const target = options.schema ?? migrations.length;
    if (before > 0 && before < target) options.told?.(await backend.saveBefore(db, before));
    if (before < target) await migrate(db, backend, target);
    return db;
  } catch (thrown) {
    await db.destroy();
    if (thrown instanceof ProblemError) throw thrown;
    const hint = `${where} cannot be used: ${thrown instanceof Error ? thrown.message : String(thrown)}; restore it from a backup`;
    throw new ProblemError(problem('data.corrupt', hint));
  }
}

function kysely({ dialect }: StoreBackend): Db {
  // `in ()` is nothing in SQLite and an error of syntax in PostgreSQL.
  return new Kysely<Tables>({
    dialect,
    plugins: [new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })],
  });
}

/** Opens a store as it is, whatever schema it has, for reading. Throws `data.corrupt` when it is none of a controller. */
export async function openExisting(backend: StoreBackend): Promise<Db> {
  const db = kysely(backend);
  try {
    await schemaOf(db);
    return db;
  } catch (thrown) {
    await db.destroy();
    if (thrown instanceof ProblemError) throw thrown;
    throw new ProblemError(problem('data.corrupt', `${backend.where} is not the store of a controller`));
  }
}

async function migrate(db: Db, backend: StoreBackend, target: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await backend.lockMigrations(tx);
    // Another controller that started in the same moment may have been first.
    const at = await schemaOf(tx);
    refuseNewer(at, backend.where);
    for (let version = at; version < target; version++) await migrations[version]!(tx as unknown as Kysely<unknown>);
    const value = String(Math.max(at, target));
    await tx
      .insertInto('settings')
      .values({ name: SCHEMA, value })
      .onConflict((c) => c.column('name').doUpdateSet({ value }))
      .execute();
  });
}

/** The table that says how far the schema is. */
async function createSettings(db: Db, backend: StoreBackend): Promise<void> {
  await db.transaction().execute(async (tx) => {
    // Where two may do this at once, the lock is of no table, so that it can be had before there is one.
    if (backend.feed.shared) await backend.lockMigrations(tx);
    await tx.schema
      .createTable('settings')
      .ifNotExists()
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('value', 'text', (c) => c.notNull())
      .execute();
  });
}

/** How far the schema is; 0: there is nothing yet. */
export async function schemaOf(db: Reader): Promise<number> {
  const row = await db.selectFrom('settings').select('value').where('name', '=', SCHEMA).executeTakeFirst();
  return Number(row?.value ?? 0);
}

function refuseNewer(at: number, where: string): void {
  if (at <= migrations.length) return;
  const hint = `${where} was written by a newer vrouter-controller (schema ${at}, this one knows ${migrations.length}); start that one, or restore a backup made before the update`;
  throw new ProblemError(problem('data.corrupt', hint));
}
