/** What a gateway should be, by key, and the last changes that led there. */
import type { Reader, Tx } from './schema.ts';

/** Versions whose changes are kept for deltas; whoever is further behind gets everything. */
export const CHANGES_KEPT = 512;

export interface StoredOp {
  readonly key: string;
  /** Canonical JSON of the intent; null removes it. */
  readonly body: string | null;
}

/** Who asked for a change, and for what, as the audit calls it. */
export interface Author {
  readonly actor: string;
  readonly tokenId: string | null;
  readonly action: string;
}

export interface StoredChange {
  readonly version: number;
  /** Hash of the whole state after it. */
  readonly hash: string;
  readonly atUnixMs: number;
  readonly ops: readonly StoredOp[];
}

export async function intentsOf(db: Reader, vrouterId: string): Promise<{ key: string; body: string }[]> {
  return db.selectFrom('intents').select(['key', 'body']).where('vrouterId', '=', vrouterId).execute();
}

/** Those that are kept, from the version after `after`. */
export async function changesOf(db: Reader, vrouterId: string, after = -1): Promise<StoredChange[]> {
  const rows = await db
    .selectFrom('changes')
    .select(['version', 'hash', 'atUnixMs', 'key', 'body'])
    .where('vrouterId', '=', vrouterId)
    .where('version', '>', after)
    .orderBy('version')
    .orderBy('ordinal')
    .execute();
  const changes: { version: number; hash: string; atUnixMs: number; ops: StoredOp[] }[] = [];
  for (const { version, hash, atUnixMs, key, body } of rows) {
    if (changes.at(-1)?.version !== version) changes.push({ version, hash, atUnixMs, ops: [] });
    changes.at(-1)!.ops.push({ key, body });
  }
  return changes;
}

/**
 * Writes a change: intents, the log of changes, and the vrouter's version and hash, all in the caller's transaction. `present` has the
 * intents that there are.
 */
export async function writeChange(
  tx: Tx,
  vrouterId: string,
  change: StoredChange,
  confirmedVersion: number,
  author: Author,
  present: ReadonlyMap<string, string>,
): Promise<void> {
  const { version, hash, atUnixMs, ops } = change;
  for (const [ordinal, { key, body }] of ops.entries()) {
    const op = body === null ? 'remove' : 'put';
    const before = present.get(key) ?? null;
    const row = { vrouterId, version, ordinal, op, key, body, hash, atUnixMs, before, ...author } as const;
    await tx.insertInto('changes').values(row).execute();
    if (body === null)
      await tx.deleteFrom('intents').where('vrouterId', '=', vrouterId).where('key', '=', key).execute();
    else
      await tx
        .insertInto('intents')
        .values({ vrouterId, key, body })
        .onConflict((c) => c.columns(['vrouterId', 'key']).doUpdateSet({ body }))
        .execute();
  }
  await tx
    .deleteFrom('changes')
    .where('vrouterId', '=', vrouterId)
    .where('version', '<=', version - CHANGES_KEPT)
    .execute();
  await tx
    .updateTable('vrouters')
    .set({ version, stateHash: hash, confirmedVersion })
    .where('id', '=', vrouterId)
    .execute();
}
