/** The tables of a backup: references lead upwards, so in this order they can be filled. With each, the columns that order its rows. */
import type { Tables } from '../store/schema.ts';

/** A table that is missing here is an error of the compiler, not one of the day when the backup is needed. */
const keys: { readonly [T in keyof Tables]: readonly (keyof Tables[T] & string)[] } = {
  settings: ['name'],
  vrouters: ['id'],
  networks: ['vrouterId', 'ordinal'],
  claims: ['vrouterId', 'prefix'],
  peers: ['vrouterId', 'name'],
  tokens: ['id'],
  gateways: ['id'],
  certificates: ['serial'],
  intents: ['vrouterId', 'key'],
  changes: ['vrouterId', 'version', 'ordinal'],
  counters: ['name'],
  users: ['id'],
  usedNonces: ['hash'],
  apiTokens: ['id'],
  audit: ['id'],
  samples: ['vrouterId', 'series', 'stepMs', 'atUnixMs'],
  meters: ['vrouterId', 'series'],
  answers: ['scope'],
  rotations: ['id'],
  rotationPeers: ['rotationId', 'ordinal'],
  controllers: ['id'],
  issuers: ['fingerprint'],
  deletedGateways: ['id'],
};

export type TableName = keyof Tables;

export const tableNames = Object.keys(keys) as readonly TableName[];

export function keyOf(table: TableName): readonly string[] {
  return keys[table];
}
