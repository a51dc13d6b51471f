/** The controllers that share this store: who they are, where gateways find them, when they were last alive. */
import type { Selectable } from 'kysely';
import type { Reader, Tables } from './schema.ts';

export type ControllerRow = Selectable<Tables['controllers']>;

/** By id. */
export async function allControllers(db: Reader): Promise<ControllerRow[]> {
  return db.selectFrom('controllers').selectAll().orderBy('id').execute();
}

/** Writes a controller's own row, whether there is one or not. */
export async function putController(db: Reader, { id, ...row }: ControllerRow): Promise<void> {
  await db
    .insertInto('controllers')
    .values({ id, ...row })
    .onConflict((c) => c.column('id').doUpdateSet(row))
    .execute();
}

/** Whether there was one. */
export async function deleteController(db: Reader, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('controllers').where('id', '=', id).executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Forgets those that were last seen before `beforeUnixMs`. Returns their ids. */
export async function forgetControllers(db: Reader, beforeUnixMs: number): Promise<string[]> {
  const rows = await db.selectFrom('controllers').select('id').where('seenUnixMs', '<', beforeUnixMs).execute();
  for (const { id } of rows)
    await db.deleteFrom('controllers').where('id', '=', id).where('seenUnixMs', '<', beforeUnixMs).execute();
  return rows.map(({ id }) => id);
}
