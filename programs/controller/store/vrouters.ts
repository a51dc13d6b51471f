/** Virtual routers and their networks. */
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type VrouterRow = Selectable<Tables['vrouters']>;
export type NetworkRow = Selectable<Tables['networks']>;

export async function insertVrouter(tx: Tx, row: VrouterRow, networks: readonly NetworkRow[]): Promise<void> {
  await tx.insertInto('vrouters').values(row).execute();
  await insertNetworks(tx, networks);
}

export async function allVrouters(db: Reader): Promise<VrouterRow[]> {
  return db.selectFrom('vrouters').selectAll().orderBy('name').execute();
}

export async function vrouterById(db: Reader, id: string): Promise<VrouterRow | undefined> {
  return db.selectFrom('vrouters').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function vrouterByName(db: Reader, name: string): Promise<VrouterRow | undefined> {
  return db.selectFrom('vrouters').selectAll().where('name', '=', name).executeTakeFirst();
}

/**
 * The row as it is, and until the transaction ends nobody else's to change: what several controllers write of one vrouter goes one
 * after another. An update that changes nothing does it in every database, `for update` does not.
 */
export async function lockVrouter(tx: Tx, id: string): Promise<VrouterRow | undefined> {
  return tx
    .updateTable('vrouters')
    .set((e) => ({ version: e.ref('version') }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst();
}

/** Removes it and, by reference, all that hangs on it. */
export async function deleteVrouter(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('vrouters').where('id', '=', id).execute();
}

export async function networksOf(db: Reader, vrouterId: string): Promise<NetworkRow[]> {
  return db.selectFrom('networks').selectAll().where('vrouterId', '=', vrouterId).orderBy('ordinal').execute();
}

export async function networksOfAll(db: Reader, vrouterIds: readonly string[]): Promise<NetworkRow[]> {
  return db.selectFrom('networks').selectAll().where('vrouterId', 'in', vrouterIds).orderBy('ordinal').execute();
}

export async function insertNetworks(tx: Tx, networks: readonly NetworkRow[]): Promise<void> {
  for (const network of networks) await tx.insertInto('networks').values(network).execute();
}

/** What of a vrouter changes without being an intent, or besides. */
export type VrouterFields = Partial<Pick<VrouterRow, 'endpoint' | 'listenPort' | 'mtu'>>;

export async function changeVrouterRow(tx: Tx, id: string, fields: VrouterFields): Promise<void> {
  await tx.updateTable('vrouters').set(fields).where('id', '=', id).execute();
}

export async function setLowestFree(tx: Tx, network: NetworkRow, lowestFree: number): Promise<void> {
  await tx
    .updateTable('networks')
    .set({ lowestFree })
    .where('vrouterId', '=', network.vrouterId)
    .where('ordinal', '=', network.ordinal)
    .execute();
}

export async function setConfirmedVersion(tx: Tx, id: string, confirmedVersion: number): Promise<void> {
  await tx.updateTable('vrouters').set({ confirmedVersion }).where('id', '=', id).execute();
}

/** Once: what was lost first stays lost. A vrouter that has no version yet has lost nothing that it could be told by. */
export async function setRestoredVersion(db: Reader, id: string, restoredVersion: number): Promise<void> {
  await db
    .updateTable('vrouters')
    .set({ restoredVersion })
    .where('id', '=', id)
    .where('restoredVersion', '=', 0)
    .execute();
}

/** The same for all, at their present versions. */
export async function setAllRestored(db: Reader): Promise<void> {
  await db
    .updateTable('vrouters')
    .set((e) => ({ restoredVersion: e.ref('version') }))
    .where('restoredVersion', '=', 0)
    .execute();
}
