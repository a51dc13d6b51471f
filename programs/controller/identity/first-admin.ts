/** The way in: the administrator of the first start, and of `--reset-admin`. Only who may write the data folder comes this way. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import { note } from '../desk/desk.ts';
import type { Tx } from '../store/schema.ts';
import { allUsers, findUser, insertUser, updateUser } from '../store/users.ts';
import { putToken } from './api-tokens.ts';
import type { Identity } from './identity.ts';
import { newTokenText } from './token.ts';

/** The user that is made when there is none, and that `--reset-admin` helps to a token. */
export const ADMIN = 'admin';
const local = { issuer: null, subject: null };
const actor = { name: 'console', tokenId: null, source: null };

/** A token that was made, and the file (mode 0600) that has it too. */
export interface NewAdmin {
  readonly token: string;
  readonly path: string;
}

/** Of a controller that has no users: makes `admin` with a token. Null when there are some. */
export async function ensureFirstAdmin(identity: Identity, folder: string): Promise<NewAdmin | null> {
  if ((await allUsers(identity.db)).length > 0) return null;
  const taken = new Error('another controller on the same store was quicker');
  try {
    return await identity.db.transaction().execute(async (tx) => {
      await note(tx, identity, actor, 'user.create', `${ADMIN} admin`);
      // Looked at again, now that others are kept out.
      if ((await allUsers(tx)).length > 0) throw taken;
      return addAdminToken(tx, identity, folder, 'first');
    });
  } catch (thrown) {
    if (thrown === taken) return null;
    throw thrown;
  }
}

/** Whatever became of it: the user `admin` is there, is enabled, has its role and one more token. Others stay as they are. */
export async function resetAdmin(identity: Identity, folder: string): Promise<NewAdmin> {
  return identity.db.transaction().execute(async (tx) => {
    await note(tx, identity, actor, 'admin.reset', ADMIN);
    return addAdminToken(tx, identity, folder, 'reset');
  });
}

/** For a person at a terminal: several lines, with the token on one of its own. */
export function adminNotice({ token, path }: NewAdmin): string {
  return `
  The API token of the user "admin", shown this once:

      ${token}

  It is also in ${path} (mode 0600), where vrouterctl on this machine finds it.
  Move it to where you keep secrets, and give everybody else a user of their own: vrouterctl user create --help

`;
}

async function addAdminToken(tx: Tx, identity: Identity, folder: string, name: string): Promise<NewAdmin> {
  const { id, text, secretHash } = newTokenText('vra');
  const known = await findUser(tx, ADMIN);
  const userId = known?.id ?? randomUUID();
  if (known === undefined) {
    const createdUnixMs = identity.unixMs();
    await insertUser(tx, { id: userId, name: ADMIN, role: 'admin', createdUnixMs, disabledUnixMs: null, ...local });
  } else await updateUser(tx, userId, { role: 'admin', disabledUnixMs: null });
  await note(tx, identity, actor, 'apiToken.create', `${ADMIN} ${name} ${id}`);
  await putToken(tx, identity, { id, userId, name, role: 'admin', secretHash }, null);
  // Before the commit: a crash in between leaves a file that opens nothing, not a token that nobody has.
  const path = join(folder, 'admin-token');
  await writeFileDurably(path, `${text}\n`, 0o600);
  return { token: text, path };
}
