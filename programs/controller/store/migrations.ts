/**
 * The schema, step by step, in the words of Kysely's schema builder so that another dialect can take them. A landed step is never
 * edited: add another. Step i leads from version i to i + 1.
 */
import type { Kysely } from 'kysely';
import { answers } from './steps/answers.ts';
import { authors } from './steps/authors.ts';
import { controllers } from './steps/controllers.ts';
import { identity } from './steps/identity.ts';
import { joinTokens } from './steps/join-tokens.ts';
import { login } from './steps/login.ts';
import { rotations } from './steps/rotations.ts';

type Migration = (db: Kysely<unknown>) => Promise<void>;

export const migrations: readonly Migration[] = [
  first,
  history,
  identity,
  answers,
  fleet,
  authors,
  rotations,
  login,
  controllers,
  joinTokens,
];

async function first(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable('vrouters')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('listenPort', 'integer', (c) => c.notNull())
    .addColumn('endpoint', 'text', (c) => c.notNull())
    .addColumn('mtu', 'integer', (c) => c.notNull())
    .addColumn('createdUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('version', 'bigint', (c) => c.notNull())
    .addColumn('stateHash', 'text', (c) => c.notNull())
    .addColumn('confirmedVersion', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createTable('networks')
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('ordinal', 'integer', (c) => c.notNull())
    .addColumn('prefix', 'text', (c) => c.notNull())
    .addColumn('gatewayAddress', 'text', (c) => c.notNull())
    .addColumn('lowestFree', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('networksKey', ['vrouterId', 'ordinal'])
    .execute();
  await schema
    .createTable('claims')
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('prefix', 'text', (c) => c.notNull())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('claimsKey', ['vrouterId', 'prefix'])
    .execute();
  await schema.createIndex('claimsOwner').on('claims').columns(['vrouterId', 'owner']).execute();
  await schema
    .createTable('peers')
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('publicKey', 'text', (c) => c.notNull())
    .addColumn('addresses', 'text', (c) => c.notNull())
    .addColumn('createdUnixMs', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('peersKey', ['vrouterId', 'name'])
    .addUniqueConstraint('peersPublicKey', ['vrouterId', 'publicKey'])
    .execute();
  await schema
    .createTable('tokens')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('secretHash', 'text', (c) => c.notNull())
    .addColumn('createdUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('expiresUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('usesLeft', 'integer', (c) => c.notNull())
    .execute();
  await schema
    .createTable('gateways')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('wireguardPublicKey', 'text', (c) => c.notNull())
    .addColumn('hostname', 'text', (c) => c.notNull())
    .addColumn('softwareVersion', 'text', (c) => c.notNull())
    .addColumn('plane', 'text')
    .addColumn('registeredUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('revokedUnixMs', 'bigint')
    .addColumn('lastPollUnixMs', 'bigint')
    .addColumn('storedVersion', 'bigint')
    .addColumn('appliedVersion', 'bigint')
    .addColumn('tokenId', 'text', (c) => c.notNull())
    .addColumn('csrFingerprint', 'text', (c) => c.notNull())
    .addColumn('joinReply', 'text', (c) => c.notNull())
    .execute();
  await schema.createIndex('gatewaysVrouter').on('gateways').column('vrouterId').execute();
  await schema.createIndex('gatewaysToken').on('gateways').column('tokenId').execute();
  await schema
    .createTable('certificates')
    .addColumn('serial', 'text', (c) => c.primaryKey())
    .addColumn('gatewayId', 'text', (c) => c.notNull().references('gateways.id').onDelete('cascade'))
    .addColumn('notBeforeUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('notAfterUnixMs', 'bigint', (c) => c.notNull())
    .execute();
  await schema.createIndex('certificatesGateway').on('certificates').column('gatewayId').execute();
  await schema
    .createTable('intents')
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('body', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('intentsKey', ['vrouterId', 'key'])
    .execute();
  await schema
    .createTable('changes')
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('version', 'bigint', (c) => c.notNull())
    .addColumn('ordinal', 'integer', (c) => c.notNull())
    .addColumn('op', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('body', 'text')
    .addColumn('hash', 'text', (c) => c.notNull())
    .addColumn('atUnixMs', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('changesKey', ['vrouterId', 'version', 'ordinal'])
    .execute();
  await schema
    .createTable('counters')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'bigint', (c) => c.notNull())
    .execute();
  await schema
    .createTable('audit')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('atUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('actor', 'text', (c) => c.notNull())
    .addColumn('source', 'text')
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('subject', 'text')
    .addColumn('outcome', 'text', (c) => c.notNull())
    .addColumn('reason', 'text')
    .execute();
}

async function history({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('samples')
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('series', 'text', (c) => c.notNull())
    .addColumn('stepMs', 'bigint', (c) => c.notNull())
    .addColumn('atUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('rxBytes', 'bigint', (c) => c.notNull())
    .addColumn('txBytes', 'bigint', (c) => c.notNull())
    .addColumn('rxPackets', 'bigint', (c) => c.notNull())
    .addColumn('txPackets', 'bigint', (c) => c.notNull())
    .addColumn('drops', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('samplesKey', ['vrouterId', 'series', 'stepMs', 'atUnixMs'])
    .execute();
  await schema.createIndex('samplesAge').on('samples').columns(['stepMs', 'atUnixMs']).execute();
  await schema
    .createTable('meters')
    .addColumn('vrouterId', 'text', (c) => c.notNull().references('vrouters.id').onDelete('cascade'))
    .addColumn('series', 'text', (c) => c.notNull())
    .addColumn('epoch', 'text', (c) => c.notNull())
    .addColumn('atUnixMs', 'bigint', (c) => c.notNull())
    .addColumn('rxBytes', 'bigint', (c) => c.notNull())
    .addColumn('txBytes', 'bigint', (c) => c.notNull())
    .addColumn('rxPackets', 'bigint', (c) => c.notNull())
    .addColumn('txPackets', 'bigint', (c) => c.notNull())
    .addColumn('drops', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('metersKey', ['vrouterId', 'series'])
    .execute();
}

/** What a restored store no longer knows, and what one controller of several has heard that the others do not. */
async function fleet({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .alterTable('vrouters')
    .addColumn('restoredVersion', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute();
  await schema.alterTable('gateways').addColumn('told', 'text').execute();
}
