/** What was done and what was refused, by whom. Rows are only ever added. */
import type { AuditRow } from '@vrouter/api/rest/system.ts';
import type { Reader } from './schema.ts';

export type AuditEntry = Omit<AuditRow, 'id'>;

/** Adds a row; inside a transaction it stands or falls with what it tells of. */
export async function writeAudit(db: Reader, entry: AuditEntry): Promise<void> {
  await db.insertInto('audit').values(entry).execute();
}

/** The last rows, latest first. */
export async function lastAudit(db: Reader, last: number): Promise<AuditRow[]> {
  return db.selectFrom('audit').selectAll().orderBy('id', 'desc').limit(last).execute();
}
