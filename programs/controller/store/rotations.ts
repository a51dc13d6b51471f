/** Rotations of keys and their peers. */
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type RotationRow = Selectable<Tables['rotations']>;
export type RotationPeerRow = Selectable<Tables['rotationPeers']>;

/** Rows of one statement: SQLite takes 32,766 values, a peer has 14. */
const ROWS_MAX = 500;
/** In which the peer's key is still to change, or may be. */
const OPEN = ['waiting', 'offered', 'withdrawing', 'lapsed'] as const;

export async function insertRotation(tx: Tx, row: RotationRow, peers: readonly RotationPeerRow[]): Promise<void> {
  await tx.insertInto('rotations').values(row).execute();
  for (let at = 0; at < peers.length; at += ROWS_MAX)
    await tx
      .insertInto('rotationPeers')
      .values(peers.slice(at, at + ROWS_MAX))
      .execute();
}

export async function rotationById(db: Reader, vrouterId: string, id: string): Promise<RotationRow | undefined> {
  return db
    .selectFrom('rotations')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** By id, which is in the order of their beginning, from the one behind `after` on, at most `most`. */
export async function rotationsOf(
  db: Reader,
  vrouterId: string,
  after: string | null,
  most: number,
): Promise<RotationRow[]> {
  let query = db.selectFrom('rotations').selectAll().where('vrouterId', '=', vrouterId);
  if (after !== null) query = query.where('id', '>', after);
  return query.orderBy('id').limit(most).execute();
}

export async function rotationPeersOf(db: Reader, rotationIds: readonly string[]): Promise<RotationPeerRow[]> {
  return db
    .selectFrom('rotationPeers')
    .selectAll()
    .where('rotationId', 'in', rotationIds)
    .orderBy('rotationId')
    .orderBy('ordinal')
    .execute();
}

/** How many peers of these rotations are how far; those that were offered together are one row. */
export async function rotationCounts(
  db: Reader,
  rotationIds: readonly string[],
): Promise<(Pick<RotationPeerRow, 'rotationId' | 'state' | 'offeredUnixMs'> & { readonly count: number })[]> {
  const rows = await db
    .selectFrom('rotationPeers')
    .select(['rotationId', 'state', 'offeredUnixMs', (e) => e.fn.countAll<number>().as('count')])
    .where('rotationId', 'in', rotationIds)
    .groupBy(['rotationId', 'state', 'offeredUnixMs'])
    .execute();
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

/** Rotations of a vrouter that have somebody left. */
export async function openRotationsOf(db: Reader, vrouterId: string): Promise<RotationRow[]> {
  return db
    .selectFrom('rotations')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('id', 'in', (e) =>
      e.selectFrom('rotationPeers').select('rotationId').where('vrouterId', '=', vrouterId).where('state', 'in', OPEN),
    )
    .orderBy('id')
    .execute();
}

/** The rotation's part that is open for the peer with this key; there is at most one. */
export async function openRotationOf(
  db: Reader,
  vrouterId: string,
  publicKey: string,
): Promise<RotationPeerRow | undefined> {
  return db
    .selectFrom('rotationPeers')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('state', 'in', OPEN)
    .where('publicKey', '=', publicKey)
    .executeTakeFirst();
}

/** Whose next key this is to be. */
export async function openRotationTo(
  db: Reader,
  vrouterId: string,
  nextPublicKey: string,
): Promise<RotationPeerRow | undefined> {
  return db
    .selectFrom('rotationPeers')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('state', 'in', OPEN)
    .where('nextPublicKey', '=', nextPublicKey)
    .executeTakeFirst();
}

export type RotationPeerFields = Partial<Omit<RotationPeerRow, 'rotationId' | 'ordinal' | 'vrouterId'>>;

export async function changeRotationPeer(
  tx: Tx,
  { rotationId, ordinal }: Pick<RotationPeerRow, 'rotationId' | 'ordinal'>,
  fields: RotationPeerFields,
): Promise<void> {
  await tx
    .updateTable('rotationPeers')
    .set(fields)
    .where('rotationId', '=', rotationId)
    .where('ordinal', '=', ordinal)
    .execute();
}

/** The peer is called so from now on, in what is open. */
export async function renameInRotations(tx: Tx, vrouterId: string, publicKey: string, peer: string): Promise<void> {
  await tx
    .updateTable('rotationPeers')
    .set({ peer })
    .where('vrouterId', '=', vrouterId)
    .where('state', 'in', OPEN)
    .where('publicKey', '=', publicKey)
    .execute();
}

/** How many are how far, and since when the first of them is offered, of everything that is open; of some vrouters, or of all. */
export interface OpenCount {
  readonly vrouterId: string;
  readonly rotationId: string;
  readonly what: string;
  readonly pace: number | null;
  readonly atDeadline: 'keep' | 'cutOver';
  readonly createdUnixMs: number;
  readonly deadlineMs: number;
  readonly state: RotationPeerRow['state'];
  readonly offeredUnixMs: number | null;
  readonly count: number;
}

/** By rotation, state and moment of the offer: those that were offered together are one row. */
export async function openCounts(db: Reader, vrouterIds: readonly string[] | null = null): Promise<OpenCount[]> {
  let query = db
    .selectFrom('rotationPeers')
    .innerJoin('rotations', 'rotations.id', 'rotationPeers.rotationId')
    .select([
      'rotationPeers.vrouterId',
      'rotationPeers.rotationId',
      'rotations.what',
      'rotations.pace',
      'rotations.atDeadline',
      'rotations.createdUnixMs',
      'rotations.deadlineMs',
      'rotationPeers.state',
      'rotationPeers.offeredUnixMs',
      (e) => e.fn.countAll<number>().as('count'),
    ])
    .where('rotationPeers.state', 'in', OPEN);
  if (vrouterIds !== null) query = query.where('rotationPeers.vrouterId', 'in', vrouterIds);
  const rows = await query
    .groupBy([
      'rotationPeers.vrouterId',
      'rotationPeers.rotationId',
      'rotations.what',
      'rotations.pace',
      'rotations.atDeadline',
      'rotations.createdUnixMs',
      'rotations.deadlineMs',
      'rotationPeers.state',
      'rotationPeers.offeredUnixMs',
    ])
    .execute();
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

/** Forgets rotations that began before and have nobody left. */
export async function forgetRotations(db: Reader, beforeUnixMs: number): Promise<void> {
  await db
    .deleteFrom('rotations')
    .where('createdUnixMs', '<', beforeUnixMs)
    .where('id', 'not in', (e) => e.selectFrom('rotationPeers').select('rotationId').where('state', 'in', OPEN))
    .execute();
}
