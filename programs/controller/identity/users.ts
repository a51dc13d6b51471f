/** Verbs on users. Each writes the audit first, which keeps other writers out until it is done, so that what it checks then stays true. */
import { randomUUID } from 'node:crypto';
import type { changeUserRequest, createUserRequest, User } from '@vrouter/api/rest/identity.ts';
import { parseName } from '@vrouter/core/names.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { z } from 'zod';
import type { Actor } from '../desk/actor.ts';
import { must } from '../desk/check.ts';
import { note } from '../desk/desk.ts';
import { cut, mapPage, type Page, type Paged } from '../desk/page.ts';
import { tagOf } from '../desk/tags.ts';
import { requireMatch } from '../desk/terms.ts';
import { goodTokenCounts, hasAdmin, revokeTokensOf } from '../store/api-tokens.ts';
import type { Reader, Tx } from '../store/schema.ts';
import { deleteUser, findUser, insertUser, type UserRow, updateUser, usersPage } from '../store/users.ts';
import type { Identity } from './identity.ts';
import { originOf } from './origin.ts';

/** Throws `name.invalid`, `user.exists`. Who comes from a provider is made at the login (../login). */
export async function createUser(
  identity: Identity,
  actor: Actor,
  input: z.output<typeof createUserRequest>,
): Promise<User> {
  const name = must(parseName(input.name, 'name'));
  const local = { disabledUnixMs: null, issuer: null, subject: null };
  const row: UserRow = { id: randomUUID(), name, role: input.role, createdUnixMs: identity.unixMs(), ...local };
  await identity.db.transaction().execute(async (tx) => {
    await note(tx, identity, actor, 'user.create', `${name} ${input.role}`);
    if ((await findUser(tx, name)) !== undefined)
      throw new ProblemError(problem('user.exists', `there is a user "${name}" already`, 'name'));
    await insertUser(tx, row);
    await actor.keep?.(tx, { user: describe(row, 0) });
  });
  return describe(row, 0);
}

/** By name; tokens are counted of the page alone. */
export async function listUsers(identity: Identity, page: Page): Promise<Paged<User>> {
  const paged = cut(await usersPage(identity.db, page.limit + 1, page.after), page.limit, (row) => row.name);
  const ids = paged.rows.map((row) => row.id);
  const counts = await goodTokenCounts(identity.db, ids, identity.unixMs());
  return mapPage(paged, (row) => describe(row, counts.get(row.id) ?? 0));
}

/** Throws `user.notFound`. */
export async function showUser(identity: Identity, name: string): Promise<User> {
  const row = await mustFind(identity.db, name);
  return describe(row, (await goodTokenCounts(identity.db, [row.id], identity.unixMs())).get(row.id) ?? 0);
}

/**
 * Its tokens follow at once. Throws `user.notFound`, `user.fromProvider` (whose role the provider gives), `user.lastAdmin`,
 * `input.invalid`, `request.outdated`.
 */
export async function changeUser(
  identity: Identity,
  actor: Actor,
  name: string,
  { role, disabled }: z.output<typeof changeUserRequest>,
): Promise<User> {
  if (role === undefined && disabled === undefined)
    throw new ProblemError(problem('input.invalid', 'there is nothing to change; name role or disabled'));
  const words = [role, disabled === undefined ? undefined : disabled ? 'disabled' : 'enabled'];
  await identity.db.transaction().execute(async (tx) => {
    await note(tx, identity, actor, 'user.change', [name, ...words].filter((word) => word !== undefined).join(' '));
    const row = await mustFind(tx, name);
    requireMatch(actor, userTag(row));
    if (role !== undefined && row.issuer !== null) {
      const hint = `${name} has the role that its groups at ${row.issuer} give, anew at each login; change those, or disable it`;
      throw new ProblemError(problem('user.fromProvider', hint, 'role'));
    }
    const hadAdmin = await hasAdmin(tx, identity.unixMs());
    await updateUser(tx, row.id, {
      ...(role === undefined ? {} : { role }),
      ...(disabled === undefined
        ? {}
        : { disabledUnixMs: disabled ? (row.disabledUnixMs ?? identity.unixMs()) : null }),
    });
    // A session ends with the door that it came in by: enabled again, the person logs in again.
    if (disabled === true && row.issuer !== null) await revokeTokensOf(tx, row.id, identity.unixMs());
    if (hadAdmin) await keepAnAdmin(tx, identity.unixMs());
  });
  identity.changed();
  return showUser(identity, name);
}

/**
 * Its tokens stop at once. The person of a provider would be back at the next login, so it is kept, disabled, unless `forget`; true when
 * it was. Throws `user.notFound`, `user.lastAdmin`, `request.outdated`.
 */
export async function removeUser(identity: Identity, actor: Actor, name: string, forget = false): Promise<boolean> {
  const shutOut = await identity.db.transaction().execute(async (tx) => {
    await note(tx, identity, actor, 'user.delete', forget ? `${name} forget` : name);
    const row = await mustFind(tx, name);
    requireMatch(actor, userTag(row));
    const nowUnixMs = identity.unixMs();
    const hadAdmin = await hasAdmin(tx, nowUnixMs);
    const keep = row.issuer !== null && !forget;
    if (keep) {
      await revokeTokensOf(tx, row.id, nowUnixMs);
      await updateUser(tx, row.id, { disabledUnixMs: row.disabledUnixMs ?? nowUnixMs });
    } else await deleteUser(tx, row.id);
    if (hadAdmin) await keepAnAdmin(tx, nowUnixMs);
    return keep;
  });
  identity.changed();
  return shutOut;
}

/** At the end of a change before which there was one: throws `user.lastAdmin`, and thereby undoes it, when nobody could look after the controller any more. */
export async function keepAnAdmin(tx: Tx, nowUnixMs: number): Promise<void> {
  if (await hasAdmin(tx, nowUnixMs)) return;
  const hint = 'no good token of an administrator would be left; make another one first';
  throw new ProblemError(problem('user.lastAdmin', hint));
}

/** Throws `user.notFound`; `field` is where the name was given. */
export async function mustFind(db: Reader, name: string, field = 'user'): Promise<UserRow> {
  const row = await findUser(db, name);
  if (row === undefined) throw new ProblemError(problem('user.notFound', 'there is no user of that name', field));
  return row;
}

function describe(row: UserRow, apiTokens: number): User {
  const { name, role, issuer, subject, createdUnixMs, disabledUnixMs } = row;
  const origin = originOf(issuer);
  return { name, role, origin, issuer, subject, createdUnixMs, disabledUnixMs, apiTokens, etag: userTag(row) };
}

function userTag({ id, role, disabledUnixMs }: UserRow): string {
  return tagOf([id, role, disabledUnixMs]);
}
