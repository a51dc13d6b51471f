/**
 * What was done and what was refused, by whom. Rows are only ever added, each chained to the one before it (chain.ts). The head of
 * the chain is a row of `settings`: whoever adds holds it until its transaction ends, so several writers, also in several
 * controllers, never fork the chain.
 */
import type { AuditRow, AuditVerifyReply } from '@vrouter/api/rest/system.ts';
import { type ChainHead, GENESIS, hashRow, headText, parseHead } from './chain.ts';
import type { Db, Reader, Tx } from './schema.ts';

export type AuditEntry = Omit<AuditRow, 'id' | 'hash'>;

const HEAD = 'auditHead';
/** Rows that a walk looks at between two breaths. */
const PAGE = 500;

/** Adds a row in the transaction of what it tells of: it stands or falls with it. Throws when the head is gone. */
export async function writeAudit(tx: Tx, entry: AuditEntry): Promise<void> {
  // An update, though nothing changes: it waits for other writers and keeps them out, in whatever dialect.
  const held = await tx
    .updateTable('settings')
    .set((e) => ({ value: e.ref('value') }))
    .where('name', '=', HEAD)
    .returning('value')
    .executeTakeFirst();
  const head = parseHead(held?.value ?? '');
  if (head === null) throw new Error('the head of the audit is gone; see GET /v1/audit/verify');
  const row = { ...entry, subject: storable(entry.subject), reason: storable(entry.reason), id: head.id + 1 };
  const hash = hashRow(head.hash, row);
  await tx
    .insertInto('audit')
    .values({ ...row, hash })
    .execute();
  await tx
    .updateTable('settings')
    .set({ value: headText({ id: row.id, hash }) })
    .where('name', '=', HEAD)
    .execute();
}

/** What is read again is what was hashed: half a surrogate pair and NUL, which a caller may have sent, do not survive a database. */
function storable(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** Adds a row of something that changes nothing else, such as a refusal. */
export async function recordAudit(db: Db, entry: AuditEntry): Promise<void> {
  await db.transaction().execute((tx) => writeAudit(tx, entry));
}

/** The last rows, latest first; `before`: only those older than the row of that id. */
export async function lastAudit(db: Reader, last: number, before: number | null = null): Promise<AuditRow[]> {
  let query = db.selectFrom('audit').selectAll();
  if (before !== null) query = query.where('id', '<', before);
  return query.orderBy('id', 'desc').limit(last).execute();
}

/**
 * Walks the chain from its first row to its head and names the first row that is not as it was written. `noted`: a row that was
 * noted earlier, which must still have that hash.
 */
export async function verifyAudit(db: Reader, noted: ChainHead | null = null): Promise<AuditVerifyReply> {
  const { head, last } = await ends(db);
  let at: ChainHead = { id: 0, hash: GENESIS };
  let rows = 0;
  const broken = (id: number, reason: string): AuditVerifyReply => {
    return { intact: false, rows, head: head ?? at, broken: { id, reason } };
  };
  // Rows that are added meanwhile are after the head, and another walk's.
  const end = head?.id ?? last?.id ?? 0;
  while (at.id < end) {
    const from = at.id;
    const page = await db.selectFrom('audit').selectAll().where('id', '>', from).orderBy('id').limit(PAGE).execute();
    for (const row of page) {
      if (row.id > end) break;
      if (hashRow(at.hash, row) !== row.hash)
        return broken(row.id, 'it is not the row that was written, or one before it was removed');
      at = { id: row.id, hash: row.hash };
      rows++;
      if (noted?.id === row.id && noted.hash !== row.hash)
        return broken(row.id, 'it had another hash when it was noted: the audit was written anew');
    }
    if (at.id === from) break;
  }
  if (head === null) return broken(at.id + 1, 'the mark where the audit ends was removed');
  if (at.id < head.id) return broken(at.id + 1, `it and all up to ${head.id} were removed`);
  if (at.hash !== head.hash) return broken(head.id, 'it is not the last row that was written');
  if (last !== null && last.id > head.id) return broken(last.id, 'it was put in past the controller');
  if (noted !== null && noted.id > head.id) return broken(noted.id, 'it was noted, and is not there any more');
  return { intact: true, rows, head, broken: null };
}

/** The head and the last row, as they were together at one moment. */
async function ends(db: Reader): Promise<{ head: ChainHead | null; last: ChainHead | null }> {
  const row = await db
    .selectNoFrom((e) => [
      e.selectFrom('settings').select('value').where('name', '=', HEAD).as('head'),
      e.selectFrom('audit').select('id').orderBy('id', 'desc').limit(1).as('lastId'),
      e.selectFrom('audit').select('hash').orderBy('id', 'desc').limit(1).as('lastHash'),
    ])
    .executeTakeFirstOrThrow();
  const last = row.lastId === null ? null : { id: row.lastId, hash: row.lastHash ?? '' };
  return { head: parseHead(row.head ?? ''), last };
}
