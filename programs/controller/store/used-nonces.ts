/** Nonces of logins that were answered: only a hash is kept, and that until the nonce would be too old anyway. */
import type { Reader, Tx } from './schema.ts';

/** False when it was used before: looking and writing are one statement. */
export async function useNonce(tx: Tx, hash: string, expiresUnixMs: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('usedNonces')
    .values({ hash, expiresUnixMs })
    .onConflict((conflict) => conflict.column('hash').doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Forgets those that nobody could use any more. */
export async function forgetNonces(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('usedNonces').where('expiresUnixMs', '<', beforeUnixMs).execute();
}
