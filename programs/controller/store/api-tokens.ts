/** API tokens: only a hash of the secret is kept. */
import type { Role } from '@vrouter/api/rest/identity.ts';
import type { Selectable } from 'kysely';
import type { Reader, Tables, Tx } from './schema.ts';

export type ApiTokenRow = Selectable<Tables['apiTokens']>;

/** A token with what matters of its user. */
export interface OwnedToken extends ApiTokenRow {
  readonly userName: string;
  readonly userRole: Role;
  readonly userDisabledUnixMs: number | null;
  /** The provider that its user comes from; null: a local one. */
  readonly userIssuer: string | null;
}

export async function insertApiToken(tx: Tx, token: ApiTokenRow): Promise<void> {
  await tx.insertInto('apiTokens').values(token).execute();
}

export async function findApiToken(db: Reader, id: string): Promise<OwnedToken | undefined> {
  return owned(db).where('apiTokens.id', '=', id).executeTakeFirst();
}

/**
 * All tokens, or those of a user, in the order in which they were made, at most `limit`, behind the one with the key `after`
 * (`<created> <id>`).
 */
export async function listApiTokens(
  db: Reader,
  userId: string | null,
  limit: number,
  after: string | null,
): Promise<OwnedToken[]> {
  let query = owned(db).orderBy('apiTokens.createdUnixMs').orderBy('apiTokens.id').limit(limit);
  if (userId !== null) query = query.where('userId', '=', userId);
  if (after === null) return query.execute();
  const [created, id] = after.split(' ') as [string, string];
  return query
    .where((e) =>
      e.or([
        e('apiTokens.createdUnixMs', '>', Number(created)),
        e.and([e('apiTokens.createdUnixMs', '=', Number(created)), e('apiTokens.id', '>', id)]),
      ]),
    )
    .execute();
}

/** How many tokens of each of these users are good now, by the user's id; a disabled one has none. */
export async function goodTokenCounts(
  db: Reader,
  userIds: readonly string[],
  nowUnixMs: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  if (userIds.length === 0) return counts;
  for (const token of await owned(db).where('userId', 'in', userIds).execute())
    if (whyNotGood(token, nowUnixMs) === null) counts.set(token.userId, (counts.get(token.userId) ?? 0) + 1);
  return counts;
}

/**
 * Whether some token may look after the controller: one of a local administrator that is good. Sessions of people who come from a
 * provider do not count: they end, and another one needs the provider.
 */
export async function hasAdmin(db: Reader, nowUnixMs: number): Promise<boolean> {
  const tokens = await owned(db)
    .where('apiTokens.role', '=', 'admin')
    .where('users.role', '=', 'admin')
    .where('users.issuer', 'is', null)
    .execute();
  return tokens.some((token) => whyNotGood(token, nowUnixMs) === null);
}

/** Null when it is good; else why not, for the audit. */
export function whyNotGood(token: OwnedToken, nowUnixMs: number): 'revoked' | 'expired' | 'userDisabled' | null {
  if (token.revokedUnixMs !== null) return 'revoked';
  if (token.expiresUnixMs !== null && token.expiresUnixMs <= nowUnixMs) return 'expired';
  return token.userDisabledUnixMs === null ? null : 'userDisabled';
}

/** False when it was revoked already. */
export async function revokeApiToken(tx: Tx, id: string, nowUnixMs: number): Promise<boolean> {
  const result = await tx
    .updateTable('apiTokens')
    .set({ revokedUnixMs: nowUnixMs })
    .where('id', '=', id)
    .where('revokedUnixMs', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** All of a user's that were not revoked yet; how many those were. */
export async function revokeTokensOf(tx: Tx, userId: string, nowUnixMs: number): Promise<number> {
  const result = await tx
    .updateTable('apiTokens')
    .set({ revokedUnixMs: nowUnixMs })
    .where('userId', '=', userId)
    .where('revokedUnixMs', 'is', null)
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** When tokens were last used, by their id. In the order of these, so that two controllers cannot wait for each other. */
export async function saveUses(tx: Tx, uses: ReadonlyMap<string, number>): Promise<void> {
  for (const [id, lastUsedUnixMs] of [...uses].sort(([a], [b]) => (a < b ? -1 : 1)))
    await tx.updateTable('apiTokens').set({ lastUsedUnixMs }).where('id', '=', id).execute();
}

/** Forgets tokens that were revoked or ended before `beforeUnixMs`, so that the table does not grow for ever. */
export async function forgetApiTokens(db: Reader, beforeUnixMs: number): Promise<void> {
  await db
    .deleteFrom('apiTokens')
    .where((e) => e.or([e('revokedUnixMs', '<', beforeUnixMs), e('expiresUnixMs', '<', beforeUnixMs)]))
    .execute();
}

function owned(db: Reader) {
  return db
    .selectFrom('apiTokens')
    .innerJoin('users', 'users.id', 'apiTokens.userId')
    .selectAll('apiTokens')
    .select([
      'users.name as userName',
      'users.role as userRole',
      'users.disabledUnixMs as userDisabledUnixMs',
      'users.issuer as userIssuer',
    ]);
}
