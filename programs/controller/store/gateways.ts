/** The identities of gateways. At most one per vrouter is not revoked. */
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type GatewayRow = Selectable<Tables['gateways']>;

export async function insertGateway(tx: Tx, gateway: GatewayRow): Promise<void> {
  await tx.insertInto('gateways').values(gateway).execute();
}

/** All that may poll. */
export async function activeGateways(db: Reader): Promise<GatewayRow[]> {
  return db.selectFrom('gateways').selectAll().where('revokedUnixMs', 'is', null).execute();
}

/** What polls have told of all that may poll: less than their rows, which hold certificates. */
export async function activeGatewaysSeen(
  db: Reader,
): Promise<Pick<GatewayRow, keyof GatewaySeen | 'vrouterId' | 'csrFingerprint'>[]> {
  return db
    .selectFrom('gateways')
    .select([
      'id',
      'vrouterId',
      'csrFingerprint',
      'lastPollUnixMs',
      'storedVersion',
      'appliedVersion',
      'plane',
      'softwareVersion',
      'told',
    ])
    .where('revokedUnixMs', 'is', null)
    .execute();
}

export async function activeGateway(db: Reader, id: string): Promise<GatewayRow | undefined> {
  return db
    .selectFrom('gateways')
    .selectAll()
    .where('id', '=', id)
    .where('revokedUnixMs', 'is', null)
    .executeTakeFirst();
}

export async function activeGatewayOf(db: Reader, vrouterId: string): Promise<GatewayRow | undefined> {
  return db
    .selectFrom('gateways')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('revokedUnixMs', 'is', null)
    .executeTakeFirst();
}

/** The gateways that a token made: more than none means that this may be a retry. */
export async function gatewaysOfToken(db: Reader, tokenId: string): Promise<GatewayRow[]> {
  return db.selectFrom('gateways').selectAll().where('tokenId', '=', tokenId).execute();
}

/** What tells the request that its certificate was last made for. */
export async function setRequestFingerprint(tx: Tx, id: string, csrFingerprint: string): Promise<void> {
  await tx.updateTable('gateways').set({ csrFingerprint }).where('id', '=', id).execute();
}

/** Revokes whichever gateway a vrouter has. Returns their ids. */
export async function revokeGatewaysOf(tx: Tx, vrouterId: string, nowUnixMs: number): Promise<string[]> {
  const rows = await tx
    .selectFrom('gateways')
    .select('id')
    .where('vrouterId', '=', vrouterId)
    .where('revokedUnixMs', 'is', null)
    .execute();
  const ids = rows.map((row) => row.id);
  if (ids.length > 0)
    await tx.updateTable('gateways').set({ revokedUnixMs: nowUnixMs }).where('id', 'in', ids).execute();
  return ids;
}

/** What polls have told, written in batches. */
export interface GatewaySeen {
  readonly id: string;
  readonly lastPollUnixMs: number;
  readonly storedVersion: number;
  readonly appliedVersion: number;
  readonly plane: string;
  readonly softwareVersion: string;
  readonly told: string | null;
}

/** In the order of the ids: two controllers that write at once must not wait for each other in a circle. */
export async function saveSeen(tx: Tx, seen: readonly GatewaySeen[]): Promise<void> {
  const ordered = [...seen].sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const { id, ...fields } of ordered) await tx.updateTable('gateways').set(fields).where('id', '=', id).execute();
}
