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

/** Each gateway's latest certificate. */
export async function latestCertificates(db: Reader): Promise<Map<string, CertificateRow>> {
  const rows = await db.selectFrom('certificates').selectAll().orderBy('notAfterUnixMs').execute();
  return new Map(rows.map((row) => [row.gatewayId, row]));
}

/** The one of a gateway that ends last. */
export async function latestCertificate(db: Reader, gatewayId: string): Promise<CertificateRow | undefined> {
  return db
    .selectFrom('certificates')
    .selectAll()
    .where('gatewayId', '=', gatewayId)
    .orderBy('notAfterUnixMs', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** The latest begin of a certificate that was issued, Unix ms; 0 when none was. */
export async function latestBegin(db: Reader): Promise<number> {
  const row = await db
    .selectFrom('certificates')
    .select((e) => e.fn.max('notBeforeUnixMs').as('latest'))
    .executeTakeFirst();
  return Number(row?.latest ?? 0);
}

/** Serials of revoked gateways' certificates that have not ended. */
export async function revokedSerials(db: Reader, nowUnixMs: number): Promise<string[]> {
  const rows = await db
    .selectFrom('certificates')
    .innerJoin('gateways', 'gateways.id', 'certificates.gatewayId')
    .select('certificates.serial')
    .where('gateways.revokedUnixMs', 'is not', null)
    .where('certificates.notAfterUnixMs', '>', nowUnixMs)
    .execute();
  return rows.map((row) => row.serial);
}

/** Forgets certificates that ended before `beforeUnixMs`. */
export async function forgetCertificates(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('certificates').where('notAfterUnixMs', '<', beforeUnixMs).execute();
}
