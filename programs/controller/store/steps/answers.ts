/** Answers to requests that were made under a key. */
import type { Kysely } from 'kysely';

export async function answers(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('answers')
    .addColumn('scope', 'text', (c) => c.primaryKey())
    .addColumn('request', 'text', (c) => c.notNull())
    .addColumn('status', 'integer', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addColumn('atUnixMs', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('answersAge').on('answers').column('atUnixMs').execute();
}
