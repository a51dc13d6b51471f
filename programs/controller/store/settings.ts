/** Facts about this controller, by name. */
import type { Reader } from './schema.ts';

/**
 * `loginNonceKey`: what nonces of logins are sealed with, base64url; it opens nothing without an ID token that the provider has signed.
 * `backupUnixMs`, `restoredUnixMs`: when the backup was made that this store was restored from, and when that was done.
 * `caRoot`: the authority's root, sealed (ca/shared-root.ts); `caRound`: how often all were told to rotate (ca/issuer-book.ts).
 */
export type SettingName =
  | 'controllerId'
  | 'rootFingerprint'
  | 'loginNonceKey'
  | 'backupUnixMs'
  | 'restoredUnixMs'
  | 'caRoot'
  | 'caRound';

export async function readSetting(db: Reader, name: SettingName): Promise<string | null> {
  const row = await db.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value ?? null;
}

/** Writes a fact that is not known yet; what is known stays. Returns what holds. */
export async function settle(db: Reader, name: SettingName, value: string): Promise<string> {
  await db
    .insertInto('settings')
    .values({ name, value })
    .onConflict((c) => c.column('name').doNothing())
    .execute();
  return (await readSetting(db, name)) ?? value;
}
