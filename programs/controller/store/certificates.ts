/** Client certificates that were issued: one that is not here is nobody's, whoever signed it. */
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type CertificateRow = Selectable<Tables['certificates']>;

export async function insertCertificate(tx: Tx, certificate: CertificateRow): Promise<void> {
  await tx.insertInto('certificates').values(certificate).execute();
}

export async function findCertificate(db: Reader, serial: string): Promise<CertificateRow | undefined> {
  return db.selectFrom('certificates').selectAll().where('serial', '=', serial).executeTakeFirst();
}

/** The end of each gateway's latest certificate, Unix ms. */
export async function certificateEnds(db: Reader): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('certificates')
    .select(['gatewayId', (e) => e.fn.max('notAfterUnixMs').as('end')])
    .groupBy('gatewayId')
    .execute();
  return new Map(rows.map((row) => [row.gatewayId, row.end]));
}

/** The end of a gateway's latest certificate, Unix ms. */
export async function certificateEnd(db: Reader, gatewayId: string): Promise<number | null> {
  const row = await db
    .selectFrom('certificates')
    .select((e) => e.fn.max('notAfterUnixMs').as('end'))
    .where('gatewayId', '=', gatewayId)
    .executeTakeFirst();
  return row?.end ?? null;
}

/** Forgets certificates that ended before `beforeUnixMs`. */
export async function forgetCertificates(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('certificates').where('notAfterUnixMs', '<', beforeUnixMs).execute();
}
