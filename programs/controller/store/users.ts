/** People and programs that may use REST. */
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type UserRow = Selectable<Tables['users']>;

export async function insertUser(tx: Tx, user: UserRow): Promise<void> {
  await tx.insertInto('users').values(user).execute();
}

export async function allUsers(db: Reader): Promise<UserRow[]> {
  return db.selectFrom('users').selectAll().orderBy('name').execute();
}

/** By name, at most `limit`, behind `after`. */
export async function usersPage(db: Reader, limit: number, after: string | null): Promise<UserRow[]> {
  const query = db.selectFrom('users').selectAll().orderBy('name').limit(limit);
  return (after === null ? query : query.where('name', '>', after)).execute();
}

export async function findUser(db: Reader, name: string): Promise<UserRow | undefined> {
  return db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst();
}

/** The person of a provider. */
export async function findPerson(db: Reader, issuer: string, subject: string): Promise<UserRow | undefined> {
  return db
    .selectFrom('users')
    .selectAll()
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .executeTakeFirst();
}

export async function updateUser(
  tx: Tx,
  id: string,
  fields: Partial<Pick<UserRow, 'role' | 'disabledUnixMs'>>,
): Promise<void> {
  if (Object.keys(fields).length > 0) await tx.updateTable('users').set(fields).where('id', '=', id).execute();
}

/** Removes it and, by reference, its tokens. */
export async function deleteUser(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('users').where('id', '=', id).execute();
}
