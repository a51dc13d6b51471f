/**
 * Certificates that a restored store has lost. A gateway renews every few hours, so after a restore from yesterday no gateway's present
 * certificate is known, and all would have to join again. What our authority issued to a gateway that is still ours, between the backup
 * and the restore, is taken back in, once, and the audit tells.
 */
import { writeAudit } from '../store/audit.ts';
import { findCertificate, insertCertificate } from '../store/certificates.ts';
import type { Db } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import type { ClientCertificate } from './certificate.ts';
import type { Roster } from './roster.ts';

/** Certificates are dated back a little, and clocks differ, ms. */
const MARGIN_MS = 10 * 60_000;

/** Whether the certificate, which our authority has signed and the store does not know, was taken back in. */
export async function adoptLost(
  db: Db,
  roster: Roster,
  certificate: ClientCertificate,
  source: string,
  nowUnixMs: number,
): Promise<boolean> {
  const [takenUnixMs, restoredUnixMs] = [
    await readSetting(db, 'backupUnixMs'),
    await readSetting(db, 'restoredUnixMs'),
  ];
  if (takenUnixMs === null || restoredUnixMs === null) return false;
  const { gatewayId, serial, notBeforeUnixMs, notAfterUnixMs } = certificate;
  if (notBeforeUnixMs < Number(takenUnixMs) - MARGIN_MS || notBeforeUnixMs > Number(restoredUnixMs)) return false;
  if ((await roster.find(gatewayId)) === undefined) return false;
  await db.transaction().execute(async (tx) => {
    if ((await findCertificate(tx, serial)) !== undefined) return;
    await insertCertificate(tx, { serial, gatewayId, notBeforeUnixMs, notAfterUnixMs });
    const reason = 'issued after the backup that the store was restored from';
    const entry = { actor: gatewayId, tokenId: null, source, action: 'certificate.adopt', subject: serial, reason };
    await writeAudit(tx, { ...entry, atUnixMs: nowUnixMs, outcome: 'done' });
  });
  return true;
}
