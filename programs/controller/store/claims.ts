/** Which prefix is whose within a vrouter: two peers can never be given the same one. */
import type { Reader, Tx } from './schema.ts';

/** Owner of the gateway's own addresses and of the networks themselves. */
export const GATEWAY_OWNER = '';

/** Who holds the prefix: a peer's name, the key of a host interface (which no name can be), GATEWAY_OWNER, or null for nobody. */
export async function holderOf(db: Reader, vrouterId: string, prefix: string): Promise<string | null> {
  const row = await db
    .selectFrom('claims')
    .select('owner')
    .where('vrouterId', '=', vrouterId)
    .where('prefix', '=', prefix)
    .executeTakeFirst();
  return row?.owner ?? null;
}

export async function claim(tx: Tx, vrouterId: string, owner: string, prefixes: readonly string[]): Promise<void> {
  for (const prefix of prefixes) await tx.insertInto('claims').values({ vrouterId, prefix, owner }).execute();
}

/** Lets go of some of what the owner holds. */
export async function unclaim(tx: Tx, vrouterId: string, owner: string, prefixes: readonly string[]): Promise<void> {
  for (const prefix of prefixes)
    await tx
      .deleteFrom('claims')
      .where('vrouterId', '=', vrouterId)
      .where('prefix', '=', prefix)
      .where('owner', '=', owner)
      .execute();
}

/** All that one holds is another's: the same peer under another name. */
export async function passOn(tx: Tx, vrouterId: string, from: string, to: string): Promise<void> {
  await tx
    .updateTable('claims')
    .set({ owner: to })
    .where('vrouterId', '=', vrouterId)
    .where('owner', '=', from)
    .execute();
}

export async function release(tx: Tx, vrouterId: string, owner: string): Promise<void> {
  await tx.deleteFrom('claims').where('vrouterId', '=', vrouterId).where('owner', '=', owner).execute();
}
