/** Verbs on API tokens. */
import type { ApiToken, createApiTokenRequest, Role } from '@vrouter/api/rest/identity.ts';
import { parseName } from '@vrouter/core/names.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { z } from 'zod';
import type { Actor } from '../desk/actor.ts';
import { must } from '../desk/check.ts';
import { note } from '../desk/desk.ts';
import { cut, mapPage, type Page, type Paged } from '../desk/page.ts';
import { tagOf } from '../desk/tags.ts';
import { requireMatch } from '../desk/terms.ts';
import {
  findApiToken,
  hasAdmin,
  insertApiToken,
  listApiTokens as listRows,
  type OwnedToken,
  revokeApiToken as revokeRow,
} from '../store/api-tokens.ts';
import type { Tx } from '../store/schema.ts';
import type { Identity } from './identity.ts';
import { originOf } from './origin.ts';
import { suffices } from './roles.ts';
import { newTokenText } from './token.ts';
import { keepAnAdmin, mustFind } from './users.ts';

/**
 * Throws `user.notFound`, `user.fromProvider`, `name.invalid`, `input.invalid` (a role above the user's). The token itself is told this
 * once.
 */
export async function createApiToken(
  identity: Identity,
  actor: Actor,
  input: z.output<typeof createApiTokenRequest>,
): Promise<{ apiToken: ApiToken; token: string }> {
  const name = must(parseName(input.name, 'name'));
  const { id, text, secretHash } = newTokenText('vra');
  return identity.db.transaction().execute(async (tx) => {
    await note(tx, identity, actor, 'apiToken.create', `${input.user} ${name} ${id}`);
    const user = await mustFind(tx, input.user);
    if (user.issuer !== null) {
      const hint = `${user.name} comes from ${user.issuer} and has sessions by logging in; make a local user for what needs a token that lasts`;
      throw new ProblemError(problem('user.fromProvider', hint, 'user'));
    }
    const role = input.role ?? user.role;
    if (!suffices(user.role, role)) {
      const hint = `${user.name} has the role ${user.role}; a token can have no more than its user`;
      throw new ProblemError(problem('input.invalid', hint, 'role'));
    }
    await putToken(tx, identity, { id, userId: user.id, name, role, secretHash }, input.ttlSeconds ?? null);
    const made = { apiToken: describeToken((await findApiToken(tx, id))!), token: text };
    await actor.keep?.(tx, made);
    return made;
  });
}

/** Writes the row of a new token; `ttlSeconds` null: it does not end by itself. */
export async function putToken(
  tx: Tx,
  { unixMs }: Pick<Identity, 'unixMs'>,
  token: { id: string; userId: string; name: string; role: Role; secretHash: string },
  ttlSeconds: number | null,
): Promise<void> {
  const createdUnixMs = unixMs();
  const expiresUnixMs = ttlSeconds === null ? null : createdUnixMs + ttlSeconds * 1000;
  await insertApiToken(tx, { ...token, createdUnixMs, expiresUnixMs, lastUsedUnixMs: null, revokedUnixMs: null });
}

/** All, or those of one user, in the order in which they were made. Throws `user.notFound`. */
export async function listApiTokens(identity: Identity, user: string | null, page: Page): Promise<Paged<ApiToken>> {
  const userId = user === null ? null : (await mustFind(identity.db, user)).id;
  const rows = await listRows(identity.db, userId, page.limit + 1, page.after);
  return mapPage(
    cut(rows, page.limit, ({ createdUnixMs, id }) => `${createdUnixMs} ${id}`),
    describeToken,
  );
}

/** Throws `apiToken.notFound`. */
export async function showApiToken(identity: Identity, id: string): Promise<ApiToken> {
  const row = await findApiToken(identity.db, id);
  if (row === undefined) throw notFound();
  return describeToken(row);
}

/** It stops at once; one that was revoked already stays as it is. Throws `apiToken.notFound`, `user.lastAdmin`, `request.outdated`. */
export async function revokeApiToken(identity: Identity, actor: Actor, id: string): Promise<void> {
  const before = await findApiToken(identity.db, id);
  if (before === undefined) throw notFound();
  if (before.revokedUnixMs !== null) return;
  await identity.db.transaction().execute(async (tx) => {
    requireMatch(actor, tokenTag(before));
    await note(tx, identity, actor, 'apiToken.revoke', `${before.userName} ${before.name} ${id}`);
    const hadAdmin = await hasAdmin(tx, identity.unixMs());
    await revokeRow(tx, id, identity.unixMs());
    if (hadAdmin) await keepAnAdmin(tx, identity.unixMs());
  });
  identity.changed();
}

export function describeToken(row: OwnedToken): ApiToken {
  const { id, userName, userIssuer, name, role, createdUnixMs, expiresUnixMs, lastUsedUnixMs, revokedUnixMs } = row;
  const etag = tokenTag(row);
  const owner = { user: userName, origin: originOf(userIssuer) };
  return { id, ...owner, name, role, createdUnixMs, expiresUnixMs, lastUsedUnixMs, revokedUnixMs, etag };
}

/** All of a token but its revocation stays as it was made. */
function tokenTag({ id, revokedUnixMs }: OwnedToken): string {
  return tagOf([id, revokedUnixMs]);
}

function notFound(): ProblemError {
  return new ProblemError(problem('apiToken.notFound', 'there is no API token of that id', 'id'));
}
