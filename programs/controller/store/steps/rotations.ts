/** Rotations of keys: jobs, and how far each peer of one is. */
import type { Kysely } from 'kysely';

export async function rotations({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('rotations')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('what', 'text', (c) => c.notNull())
    .addColumn('pace', 'integer')
    .addColumn('deadlineMs', 'bigint', (c) => c.notNull())
    .addColumn('atDeadline', 'text', (c) => c.notNull())
    .addColumn('startedBy', 'text', (c) => c.notNull())
    .addColumn('createdUnixMs', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('rotationsVrouter').on('rotations').columns(['vrouterId', 'id']).execute();
  await schema
    .createTable('rotationPeers')
    .addColumn('rotationId', 'text', (c) => c.notNull().references('rotations.id').onDelete('cascade'))
    .addColumn('ordinal', 'integer', (c) => c.notNull())
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('peer', 'text', (c) => c.notNull())
    .addColumn('publicKey', 'text', (c) => c.notNull())
    .addColumn('nextPublicKey', 'text', (c) => c.notNull())
    .addColumn('nextPresharedKey', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('offeredUnixMs', 'bigint')
    .addColumn('endedUnixMs', 'bigint')
    .addColumn('withdrawnVersion', 'bigint')
    .addColumn('endsAs', 'text')
    .addColumn('forced', 'integer', (c) => c.notNull())
    .addColumn('reason', 'text')
    .addPrimaryKeyConstraint('rotationPeersKey', ['rotationId', 'ordinal'])
    .execute();
  await schema.createIndex('rotationPeersState').on('rotationPeers').columns(['vrouterId', 'state']).execute();
}
