/** The controllers of this store and where gateways find them, intermediates of all of them, and gateways whose vrouter was deleted. */
import type { Kysely } from 'kysely';

export async function controllers({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('controllers')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('host', 'text', (c) => c.notNull())
    .addColumn('version', 'text', (c) => c.notNull())
    .addColumn('urls', 'text', (c) => c.notNull())
    .addColumn('startedUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('seenUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('stoppedUnixMs', 'bigint')
    .execute();
  await schema
    .createTable('issuers')
    .addColumn('fingerprint', 'text', (c) => c.primaryKey())
    .addColumn('pem', 'text', (c) => c.notNull())
    .addColumn('round', 'integer', (c) => c.notNull())
    .addColumn('trustedUntilUnixMs', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createTable('deletedGateways')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('vrouter', 'text', (c) => c.notNull())
    .addColumn('deletedUnixMs', 'bigint', (c) => c.notNull())
    .execute();
}
