/** `restore`: a backup becomes a controller's folder and store, whole or not at all. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { lockFolder } from '@vrouter/host/files/lock.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import type { Kysely } from 'kysely';
import type { StoreBackend } from '../store/dialect/backend.ts';
import { migrations } from '../store/migrations.ts';
import { openStore } from '../store/open.ts';
import { storeBackend } from '../store/place.ts';
import type { Tx } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { setAllRestored } from '../store/vrouters.ts';
import { type Backup, type BackupRows, parseBackup } from './format.ts';

/** Rows of one statement; SQLite takes 32,766 values. */
const ROWS_MAX = 200;

export interface Restored {
  readonly takenUnixMs: number;
  readonly rows: number;
  readonly files: number;
}

/**
 * `storeUrl`: PostgreSQL, else SQLite in the folder. Throws `data.inUse` when a controller runs on the folder, or one has been there;
 * `data.corrupt` when the file is no whole backup, or a newer controller's.
 */
export async function restoreBackup(
  data: string,
  storeUrl: string | null,
  path: string,
  nowUnixMs: number,
): Promise<Restored> {
  const backup = read(path);
  ensurePrivateFolder(data);
  using _lock = lockFolder(data);
  const database = join(data, 'controller.db');
  const authority = join(data, 'ca');
  const making = join(data, 'restoring');
  // Cut off before its end, maybe in its last moment: no controller can have been here without an authority.
  const cut = existsSync(join(making, 'ca')) && !existsSync(authority);
  if (cut) rmSync(database, { force: true });
  for (const there of [database, authority])
    if (existsSync(there)) {
      const hint = `${there} is there: a controller has been in ${data}; move the folder away, or restore into another`;
      throw new ProblemError(problem('data.inUse', hint));
    }
  // Everything is made in a folder of its own, and gets its name when it is whole; what an earlier try has left goes.
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { mode: 0o700 });
  const files = await restoreFiles(making, backup);
  const store = (): StoreBackend => storeBackend(making, storeUrl);
  const rows = await restoreRows(store, backup, nowUnixMs, cut);
  if (storeUrl === null) renameSync(join(making, 'controller.db'), database);
  renameSync(join(making, 'ca'), authority);
  rmSync(making, { recursive: true });
  return { takenUnixMs: backup.head.takenUnixMs, rows, files };
}

function read(path: string): Backup {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    throw new ProblemError(problem('config.invalid', `cannot read ${path}: ${String(thrown)}`, '--from'));
  }
  const parsed = parseBackup(text);
  if (!parsed.ok) throw new ProblemError(problem('data.corrupt', `${path}: ${parsed.error.message}`));
  const { schema } = parsed.value.head;
  if (schema > migrations.length) {
    const hint = `${path} was made by a newer vrouter-controller (schema ${schema}, this one knows ${migrations.length}); restore it with that one`;
    throw new ProblemError(problem('data.corrupt', hint));
  }
  return parsed.value;
}

async function restoreFiles(folder: string, { parts }: Backup): Promise<number> {
  let files = 0;
  for (const part of parts) {
    if (!('file' in part)) continue;
    const path = join(folder, part.file);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    await writeFileDurably(path, Uint8Array.fromBase64(part.base64), 0o600);
    files++;
  }
  return files;
}

/**
 * The rows at the schema that they are of, then the steps since; in one transaction where there are none. The settings come last:
 * without them it is nobody's store yet. `cut`: an earlier try may have come as far as this.
 */
async function restoreRows(
  store: () => StoreBackend,
  backup: Backup,
  nowUnixMs: number,
  cut: boolean,
): Promise<number> {
  const { schema, takenUnixMs } = backup.head;
  const parts = backup.parts.filter((part) => 'table' in part);
  let rows = 0;
  const finish = async (tx: Tx): Promise<void> => {
    for (const part of parts) if (part.table === 'settings') await putSettings(tx, part);
    // From here on it is known that gateways may have more than the store.
    await setAllRestored(tx);
    await putSetting(tx, 'backupUnixMs', String(takenUnixMs));
    await putSetting(tx, 'restoredUnixMs', String(nowUnixMs));
  };
  await inStore(store(), schema, async (tx, backend) => {
    for (const part of parts) rows += part.rows.length;
    if (cut && (await readSetting(tx, 'backupUnixMs')) === String(takenUnixMs)) return;
    await refuseFull(tx, backend);
    for (const part of parts) if (part.table !== 'settings') await insert(tx, part);
    await backend.settleNumbers(tx);
    if (schema === migrations.length) await finish(tx);
  });
  if (schema < migrations.length) await inStore(store(), migrations.length, finish);
  return rows;
}

async function inStore(
  backend: StoreBackend,
  schema: number,
  work: (tx: Tx, backend: StoreBackend) => Promise<void>,
): Promise<void> {
  const db = await openStore(backend, { schema });
  try {
    await db.transaction().execute((tx) => work(tx, backend));
  } finally {
    await db.destroy();
  }
}

async function refuseFull(tx: Tx, { where }: StoreBackend): Promise<void> {
  const vrouter = await tx.selectFrom('vrouters').select('id').limit(1).executeTakeFirst();
  if (vrouter === undefined && (await readSetting(tx, 'controllerId')) === null) return;
  const hint = `${where} is not empty: a controller, or an earlier restore, has written to it; restore into an empty database`;
  throw new ProblemError(problem('data.inUse', hint));
}

async function insert(tx: Tx, { table, rows }: BackupRows): Promise<void> {
  const untyped = tx as unknown as Kysely<Record<string, Record<string, unknown>>>;
  for (let at = 0; at < rows.length; at += ROWS_MAX)
    await untyped
      .insertInto(table)
      .values(rows.slice(at, at + ROWS_MAX))
      .execute();
}

/** All but how far the schema is, which the store knows itself. */
async function putSettings(tx: Tx, { rows }: BackupRows): Promise<void> {
  for (const { name, value } of rows) if (name !== 'schema') await putSetting(tx, String(name), String(value));
}

async function putSetting(tx: Tx, name: string, value: string): Promise<void> {
  await tx
    .insertInto('settings')
    .values({ name, value })
    .onConflict((c) => c.column('name').doUpdateSet({ value }))
    .execute();
}
