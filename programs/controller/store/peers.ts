/** What the controller knows of a peer besides its intent: its name's uniqueness, its addresses, its age. */
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type PeerRow = Selectable<Tables['peers']>;

export async function insertPeer(tx: Tx, peer: PeerRow): Promise<void> {
  await tx.insertInto('peers').values(peer).execute();
}

/** By name, from the one behind `after` on, at most `most`. */
export async function peersOf(db: Reader, vrouterId: string, after: string | null, most: number): Promise<PeerRow[]> {
  let query = db.selectFrom('peers').selectAll().where('vrouterId', '=', vrouterId);
  if (after !== null) query = query.where('name', '>', after);
  return query.orderBy('name').limit(most).execute();
}

export async function peerCounts(db: Reader, vrouterIds: readonly string[]): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('peers')
    .select(['vrouterId', (e) => e.fn.countAll<number>().as('count')])
    .where('vrouterId', 'in', vrouterIds)
    .groupBy('vrouterId')
    .execute();
  return new Map(rows.map((row) => [row.vrouterId, Number(row.count)]));
}

export async function peerByName(db: Reader, vrouterId: string, name: string): Promise<PeerRow | undefined> {
  return db
    .selectFrom('peers')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('name', '=', name)
    .executeTakeFirst();
}

export async function peerByKey(db: Reader, vrouterId: string, publicKey: string): Promise<PeerRow | undefined> {
  return db
    .selectFrom('peers')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('publicKey', '=', publicKey)
    .executeTakeFirst();
}

export async function changePeerRow(
  tx: Tx,
  vrouterId: string,
  name: string,
  fields: Partial<Pick<PeerRow, 'name' | 'addresses' | 'publicKey'>>,
): Promise<void> {
  await tx.updateTable('peers').set(fields).where('vrouterId', '=', vrouterId).where('name', '=', name).execute();
}

export async function deletePeer(tx: Tx, vrouterId: string, name: string): Promise<void> {
  await tx.deleteFrom('peers').where('vrouterId', '=', vrouterId).where('name', '=', name).execute();
}
