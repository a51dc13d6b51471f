/** Verbs on join tokens: how a gateway gets in, once or a few times, for a while. */
import type { CreateTokenReply, createTokenRequest, Join, JoinToken } from '@vrouter/api/rest/join-tokens.ts';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { z } from 'zod';
import { joinString, newToken } from '../join/token.ts';
import type { Tx } from '../store/schema.ts';
import { findToken, forgetTokens, insertToken, revokeToken, type TokenRow, tokensOf } from '../store/tokens.ts';
import type { Actor } from './actor.ts';
import { must } from './check.ts';
import { type Desk, note } from './desk.ts';
import { cut, type Page, type Paged } from './page.ts';
import { tagOf } from './tags.ts';
import { requireMatch } from './terms.ts';

export const DEFAULT_TTL_SECONDS = 3600;
/** Tokens are forgotten this long after their end, ms. */
const TOKEN_MEMORY_MS = 24 * 3_600_000;

type TokenTerms = Pick<z.output<typeof createTokenRequest>, 'ttlSeconds' | 'uses' | 'sourcePrefix'>;

/**
 * Makes a join string; whoever joins with it takes the place of the gateway there is. Throws `vrouter.notFound`, `prefix.invalid`
 * (sourcePrefix).
 */
export async function createToken(
  desk: Desk,
  actor: Actor,
  name: string,
  input: z.output<typeof createTokenRequest>,
): Promise<CreateTokenReply> {
  const { sourcePrefix } = input;
  if (sourcePrefix !== null) must(parsePrefix(sourcePrefix, 'sourcePrefix'));
  const reply = await desk.desired.answer(name, actor, 'token.create', async (tx, _draft, head) => {
    await forgetTokens(tx, desk.unixMs() - TOKEN_MEMORY_MS);
    const join = await addToken(tx, desk, actor, head.row.id, name, input);
    return () => ({ join });
  });
  const text = `a join string for ${name} was made`;
  desk.events.emit({ type: 'token.created', vrouter: name, subject: null, version: null, text });
  return reply;
}

/** In the order in which they were made; those that ended are there for a day. Throws `vrouter.notFound`. */
export async function listTokens(desk: Desk, name: string, page: Page): Promise<Paged<JoinToken>> {
  const head = desk.desired.get(name);
  const rows = await tokensOf(desk.db, head.row.id, page.limit + 1, page.after);
  const { rows: kept, next } = cut(rows, page.limit, keyOf);
  return { rows: kept.map((row) => describe(row, desk.unixMs())), next };
}

/**
 * Nobody joins with it from now on; who has stays. One that was revoked already stays as it is. Throws `vrouter.notFound`,
 * `joinToken.notFound`, `request.outdated`.
 */
export async function removeToken(desk: Desk, actor: Actor, name: string, id: string): Promise<void> {
  const { value } = await desk.desired.change(name, actor, 'token.revoke', async (tx, _draft, head) => {
    const row = await findToken(tx, id);
    if (row === undefined || row.vrouterId !== head.row.id)
      throw new ProblemError(problem('joinToken.notFound', `${name} has no join token of that id`, 'id'));
    requireMatch(actor, tokenTag(row));
    if (row.revokedUnixMs !== null) return false;
    await revokeToken(tx, id, desk.unixMs());
    await note(tx, desk, actor, 'token.revoke', `${name} ${id}`);
    return true;
  });
  if (!value) return;
  const text = `the join string ${id} of ${name} was revoked`;
  desk.events.emit({ type: 'token.revoked', vrouter: name, subject: id, version: null, text });
}

/** Writes a new token; its text is in the answer, and nowhere else. */
export async function addToken(
  tx: Tx,
  desk: Desk,
  actor: Actor,
  vrouterId: string,
  name: string,
  { ttlSeconds, uses, sourcePrefix }: TokenTerms,
): Promise<Join> {
  const { id, secretHash, text } = newToken();
  const now = desk.unixMs();
  const expiresUnixMs = now + ttlSeconds * 1000;
  const terms = { uses, usesLeft: uses, sourcePrefix, creator: actor.name };
  await insertToken(tx, {
    id,
    vrouterId,
    secretHash,
    createdUnixMs: now,
    expiresUnixMs,
    revokedUnixMs: null,
    ...terms,
  });
  await note(tx, desk, actor, 'token.create', `${name} ${id}`);
  return { string: joinString(desk.agentsUrls(), text, desk.rootFingerprint), expiresUnixMs };
}

function describe(row: TokenRow, nowUnixMs: number): JoinToken {
  const { id, creator, createdUnixMs, expiresUnixMs, uses, usesLeft, sourcePrefix, revokedUnixMs } = row;
  const facts = { id, creator, createdUnixMs, expiresUnixMs, uses, usesLeft, sourcePrefix, revokedUnixMs };
  return { ...facts, state: stateOf(row, nowUnixMs), etag: tokenTag(row) };
}

function stateOf({ revokedUnixMs, usesLeft, expiresUnixMs }: TokenRow, nowUnixMs: number): JoinToken['state'] {
  if (revokedUnixMs !== null) return 'revoked';
  if (usesLeft < 1) return 'used';
  return expiresUnixMs <= nowUnixMs ? 'expired' : 'good';
}

function keyOf({ createdUnixMs, id }: TokenRow): string {
  return `${createdUnixMs} ${id}`;
}

function tokenTag({ id, usesLeft, revokedUnixMs }: TokenRow): string {
  return tagOf([id, usesLeft, revokedUnixMs]);
}
