/** Who made a join token, how often and from where it may be used, and whether it was taken back. */
import type { Kysely } from 'kysely';

export async function joinTokens({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .alterTable('tokens')
    .addColumn('creator', 'text', (c) => c.notNull().defaultTo(''))
    .execute();
  await schema
    .alterTable('tokens')
    .addColumn('uses', 'integer', (c) => c.notNull().defaultTo(1))
    .execute();
  await schema.alterTable('tokens').addColumn('sourcePrefix', 'text').execute();
  await schema.alterTable('tokens').addColumn('revokedUnixMs', 'bigint').execute();
}
