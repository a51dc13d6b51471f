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

/** Takes one use, if there is one left and it has not ended: the condition and the decrement are one statement. */
export async function consumeToken(tx: Tx, id: string, nowUnixMs: number): Promise<boolean> {
  const result = await tx
    .updateTable('tokens')
    .set((e) => ({ usesLeft: e('usesLeft', '-', 1) }))
    .where('id', '=', id)
    .where('usesLeft', '>', 0)
    .where('expiresUnixMs', '>', nowUnixMs)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Forgets tokens that ended before `beforeUnixMs`, so that the table does not grow for ever. */
export async function forgetTokens(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('tokens').where('expiresUnixMs', '<', beforeUnixMs).execute();
}
