/** Intermediates of the embedded authority that controllers on this store issue with, or did: certificates alone, no keys. */
import type { Selectable } from 'kysely';
import type { Reader, Tables } from './schema.ts';
import { readSetting } from './settings.ts';

export type IssuerRow = Selectable<Tables['issuers']>;

export async function allIssuers(db: Reader): Promise<IssuerRow[]> {
  return db.selectFrom('issuers').selectAll().orderBy('fingerprint').execute();
}

/** The round that one was made in stays what it was. */
export async function putIssuer(db: Reader, row: IssuerRow): Promise<void> {
  const { trustedUntilUnixMs } = row;
  await db
    .insertInto('issuers')
    .values(row)
    .onConflict((c) => c.column('fingerprint').doUpdateSet({ trustedUntilUnixMs }))
    .execute();
}

/** Forgets those that nothing can depend on any more. */
export async function forgetIssuers(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('issuers').where('trustedUntilUnixMs', '<', beforeUnixMs).execute();
}

/** How often all controllers were told to rotate. */
export async function readRound(db: Reader): Promise<number> {
  return Number((await readSetting(db, 'caRound')) ?? 0);
}

/** Tells all controllers to rotate; two that do so at once may tell it once. */
export async function nextRound(db: Reader): Promise<number> {
  const value = String((await readRound(db)) + 1);
  await db
    .insertInto('settings')
    .values({ name: 'caRound', value })
    .onConflict((c) => c.column('name').doUpdateSet({ value }))
    .execute();
  return Number(value);
}
