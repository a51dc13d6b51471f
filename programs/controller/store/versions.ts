/** Versions of a configuration, as far back as their changes are kept (CHANGES_KEPT), and what lies between two of them. */
import type { Reader } from './schema.ts';

export interface VersionRow {
  readonly version: number;
  readonly atUnixMs: number;
  /** Who asked for it, with which token and for what; null where that was not kept yet. */
  readonly actor: string | null;
  readonly tokenId: string | null;
  readonly action: string | null;
  /** How many intents it changed. */
  readonly changed: number;
}

/** What became of one intent, in canonical JSON; null: there was, or is, none. */
export interface NetChange {
  readonly key: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** Newest first; `before`: only versions before that one. */
export async function versionsOf(
  db: Reader,
  vrouterId: string,
  before: number | null,
  limit: number,
): Promise<VersionRow[]> {
  let query = db.selectFrom('changes').where('vrouterId', '=', vrouterId);
  if (before !== null) query = query.where('version', '<', before);
  const rows = await query
    .select(['version', 'atUnixMs', 'actor', 'tokenId', 'action'])
    .select((e) => e.fn.countAll().as('changed'))
    .groupBy(['version', 'atUnixMs', 'actor', 'tokenId', 'action'])
    .orderBy('version', 'desc')
    .limit(limit)
    .execute();
  // PostgreSQL counts in 64 bits, which arrive as text.
  return rows.map((row) => ({ ...row, changed: Number(row.changed) }));
}

/** The earliest version from which the way to the present one is known; null: none but the present one itself. */
export async function earliestKept(db: Reader, vrouterId: string): Promise<number | null> {
  const row = await db
    .selectFrom('changes')
    .select('version')
    .where('vrouterId', '=', vrouterId)
    .where('action', 'is not', null)
    .orderBy('version')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? null : row.version - 1;
}

/** What is other at version `to` than at the earlier version `from`, by key; null: that is not kept. */
export async function changesBetween(
  db: Reader,
  vrouterId: string,
  from: number,
  to: number,
): Promise<NetChange[] | null> {
  const rows = await db
    .selectFrom('changes')
    .select(['version', 'key', 'before', 'body', 'action'])
    .where('vrouterId', '=', vrouterId)
    .where('version', '>', from)
    .where('version', '<=', to)
    .orderBy('version')
    .orderBy('ordinal')
    .execute();
  const net = new Map<string, NetChange>();
  let at = from;
  for (const { version, key, before, body, action } of rows) {
    if (action === null || version > at + 1) return null;
    at = version;
    net.set(key, { key, before: (net.get(key) ?? { before }).before, after: body });
  }
  if (at !== to) return null;
  return [...net.values()].filter(({ before, after }) => before !== after).sort((a, b) => (a.key < b.key ? -1 : 1));
}
