/** Facts about this controller, by name. */
import type { Reader } from './schema.ts';

/**
 * `loginNonceKey`: what nonces of logins are sealed with, base64url; it opens nothing without an ID token that the provider has signed.
 * `backupUnixMs`, `restoredUnixMs`: when the backup was made that this store was restored from, and when that was done.
 */
export type SettingName = 'controllerId' | 'rootFingerprint' | 'loginNonceKey' | 'backupUnixMs' | 'restoredUnixMs';

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
