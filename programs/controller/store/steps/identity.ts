/** Users, their API tokens, and the audit as a chain; the rows that there are become its beginning. */
import type { Kysely } from 'kysely';
import { type ChainedRow, GENESIS, hashRow, headText } from '../chain.ts';
import { appendOnly } from '../dialect/append-only.ts';

/** The tables as this step finds and leaves them; later steps may have others. */
interface Tables {
  settings: { name: string; value: string };
  audit: ChainedRow & { hash: string };
}

const PAGE = 1000;

export async function identity(untyped: Kysely<unknown>): Promise<void> {
  const db = untyped as Kysely<Tables>;
  const { schema } = db;
  await schema
    .createTable('users')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('createdUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('disabledUnixMs', 'bigint')
    .execute();
  await schema
    .createTable('apiTokens')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('userId', 'text', (c) => c.notNull().references('users.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('secretHash', 'text', (c) => c.notNull())
    .addColumn('createdUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('expiresUnixMs', 'bigint')
    .addColumn('lastUsedUnixMs', 'bigint')
    .addColumn('revokedUnixMs', 'bigint')
    .execute();
  await schema.createIndex('apiTokensUser').on('apiTokens').column('userId').execute();

  await schema.alterTable('audit').addColumn('tokenId', 'text').execute();
  await schema
    .alterTable('audit')
    .addColumn('hash', 'text', (c) => c.notNull().defaultTo(''))
    .execute();
  let head = { id: 0, hash: GENESIS };
  for (;;) {
    const rows = await db.selectFrom('audit').selectAll().where('id', '>', head.id).orderBy('id').limit(PAGE).execute();
    for (const row of rows) {
      head = { id: row.id, hash: hashRow(head.hash, row) };
      await db.updateTable('audit').set({ hash: head.hash }).where('id', '=', head.id).execute();
    }
    if (rows.length < PAGE) break;
  }
  await db
    .insertInto('settings')
    .values({ name: 'auditHead', value: headText(head) })
    .execute();
  await appendOnly(untyped, 'audit');
}
