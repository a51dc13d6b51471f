/** Answers that were given to requests under a key, for whoever asks again. Bodies are sealed by the caller. */
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type AnswerRow = Selectable<Tables['answers']>;

export async function findAnswer(db: Reader, scope: string, sinceUnixMs: number): Promise<AnswerRow | undefined> {
  return db
    .selectFrom('answers')
    .selectAll()
    .where('scope', '=', scope)
    .where('atUnixMs', '>=', sinceUnixMs)
    .executeTakeFirst();
}

/** Keeps an answer in the place of one that is older than `sinceUnixMs`. False: one that is still good is in the way. */
export async function keepAnswer(tx: Tx, answer: AnswerRow, sinceUnixMs: number): Promise<boolean> {
  await tx.deleteFrom('answers').where('scope', '=', answer.scope).where('atUnixMs', '<', sinceUnixMs).execute();
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('answers')
    .values(answer)
    .onConflict((conflict) => conflict.column('scope').doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Forgets answers that were given before `beforeUnixMs`. */
export async function forgetAnswers(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('answers').where('atUnixMs', '<', beforeUnixMs).execute();
}
