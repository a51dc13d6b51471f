/** Join tokens: only a hash of the secret is kept. */
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type TokenRow = Selectable<Tables['tokens']>;

export async function insertToken(tx: Tx, token: TokenRow): Promise<void> {
  await tx.insertInto('tokens').values(token).execute();
}

export async function findToken(db: Reader, id: string): Promise<TokenRow | undefined> {
  return db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Those of a vrouter in the order in which they were made, at most `limit`, behind the one with the key `after` (`<created> <id>`). */
export async function tokensOf(
  db: Reader,
  vrouterId: string,
  limit: number,
  after: string | null,
): Promise<TokenRow[]> {
  const query = db
    .selectFrom('tokens')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .orderBy('createdUnixMs')
    .orderBy('id')
    .limit(limit);
  if (after === null) return query.execute();
  const [created, id] = after.split(' ') as [string, string];
  return query
    .where((e) =>
      e.or([
        e('createdUnixMs', '>', Number(created)),
        e.and([e('createdUnixMs', '=', Number(created)), e('id', '>', id)]),
      ]),
    )
    .execute();
}

export async function revokeToken(tx: Tx, id: string, nowUnixMs: number): Promise<void> {
  await tx.updateTable('tokens').set({ revokedUnixMs: nowUnixMs }).where('id', '=', id).execute();
}

/** Takes one use, if there is one left and it was neither ended nor revoked: the condition and the decrement are one statement. */
export async function consumeToken(tx: Tx, id: string, nowUnixMs: number): Promise<boolean> {
  const result = await tx
    .updateTable('tokens')
    .set((e) => ({ usesLeft: e('usesLeft', '-', 1) }))
    .where('id', '=', id)
    .where('usesLeft', '>', 0)
    .where('expiresUnixMs', '>', nowUnixMs)
    .where('revokedUnixMs', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Forgets tokens that ended before `beforeUnixMs`, so that the table does not grow for ever. */
export async function forgetTokens(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('tokens').where('expiresUnixMs', '<', beforeUnixMs).execute();
}
