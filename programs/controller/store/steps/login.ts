/** People who come from an OpenID Connect provider, and the nonces that they have used up. */
import type { Kysely } from 'kysely';

export async function login({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('users').addColumn('issuer', 'text').execute();
  await schema.alterTable('users').addColumn('subject', 'text').execute();
  // Local users have neither, and NULLs do not collide in either database.
  await schema.createIndex('usersSubject').on('users').columns(['issuer', 'subject']).unique().execute();
  await schema
    .createTable('usedNonces')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('expiresUnixMs', 'bigint', (c) => c.notNull())
    .execute();
}
