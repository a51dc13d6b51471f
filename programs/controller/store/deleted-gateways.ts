/**
 * Gateways whose vrouter was deleted. Their rows and certificates are gone with it, so without this nobody could tell them from
 * strangers, and a gateway that was deleted would ask for ever.
 */
import type { Reader, Tx } from './schema.ts';

/** Notes all gateways of a vrouter, before it is deleted. */
export async function noteDeletedGateways(
  tx: Tx,
  vrouter: { readonly id: string; readonly name: string },
  nowUnixMs: number,
): Promise<void> {
  const rows = await tx.selectFrom('gateways').select('id').where('vrouterId', '=', vrouter.id).execute();
  if (rows.length === 0) return;
  const values = rows.map(({ id }) => ({ id, vrouter: vrouter.name, deletedUnixMs: nowUnixMs }));
  await tx.insertInto('deletedGateways').values(values).execute();
}

/** The name of the vrouter that it had, and when that was deleted; undefined when it was not. */
export async function deletedGateway(
  db: Reader,
  id: string,
): Promise<{ readonly vrouter: string; readonly deletedUnixMs: number } | undefined> {
  return db.selectFrom('deletedGateways').select(['vrouter', 'deletedUnixMs']).where('id', '=', id).executeTakeFirst();
}

export async function forgetDeletedGateways(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('deletedGateways').where('deletedUnixMs', '<', beforeUnixMs).execute();
}
