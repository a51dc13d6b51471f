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
import { goodTokenCounts, hasAdmin } from '../store/api-tokens.ts';
import type { Reader, Tx } from '../store/schema.ts';
import { deleteUser, findUser, insertUser, type UserRow, updateUser, usersPage } from '../store/users.ts';
import type { Identity } from './identity.ts';

/** Throws `name.invalid`, `user.exists`. */
export async function createUser(
  identity: Identity,
  actor: Actor,
  input: z.output<typeof createUserRequest>,
): Promise<User> {
  const name = must(parseName(input.name, 'name'));
  const row = { id: randomUUID(), name, role: input.role, createdUnixMs: identity.unixMs(), disabledUnixMs: null };
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

/** Its tokens follow at once. Throws `user.notFound`, `user.lastAdmin`, `input.invalid`, `request.outdated`. */
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
    await updateUser(tx, row.id, {
      ...(role === undefined ? {} : { role }),
      ...(disabled === undefined
        ? {}
        : { disabledUnixMs: disabled ? (row.disabledUnixMs ?? identity.unixMs()) : null }),
    });
    await keepAnAdmin(tx, identity.unixMs());
  });
  identity.changed();
  return showUser(identity, name);
}

/** Its tokens stop at once. Throws `user.notFound`, `user.lastAdmin`, `request.outdated`. */
export async function removeUser(identity: Identity, actor: Actor, name: string): Promise<void> {
  await identity.db.transaction().execute(async (tx) => {
    await note(tx, identity, actor, 'user.delete', name);
    const row = await mustFind(tx, name);
    requireMatch(actor, userTag(row));
    await deleteUser(tx, row.id);
    await keepAnAdmin(tx, identity.unixMs());
  });
  identity.changed();
}

/** At the end of a change: throws `user.lastAdmin`, and thereby undoes it, when nobody could look after the controller any more. */
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
  const { name, role, createdUnixMs, disabledUnixMs } = row;
  return { name, role, createdUnixMs, disabledUnixMs, apiTokens, etag: userTag(row) };
}

function userTag({ id, role, disabledUnixMs }: UserRow): string {
  return tagOf([id, role, disabledUnixMs]);
}
