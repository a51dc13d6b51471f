/** `backup`: one snapshot of the store and the files of the authority, in one file that is whole before it has its name. */
import { constants } from 'node:fs';
import { access, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type RawBuilder, sql } from 'kysely';
import type { StoreBackend } from '../store/dialect/backend.ts';
import { migrations } from '../store/migrations.ts';
import { openExisting, schemaOf } from '../store/open.ts';
import type { Reader } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { VERSION } from '../version.ts';
import { FORMAT, Lines } from './format.ts';
import { keyOf, type TableName, tableNames } from './tables.ts';

/** Rows of one question and one line. */
const ROWS_MAX = 500;

export interface Written {
  readonly path: string;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
}

/** Throws `data.inUse` when there is such a file, `data.unwritable`, `data.corrupt`, `store.unavailable`. */
export async function writeBackup(
  data: string,
  backend: StoreBackend,
  path: string,
  nowUnixMs: number,
): Promise<Written> {
  if (await exists(path))
    throw new ProblemError(problem('data.inUse', `${path} is there already; choose another name`));
  const db = await openExisting(backend);
  const part = `${path}.part`;
  const written = { path, rows: 0, files: 0, bytes: 0 };
  try {
    const file = await open(part, 'w', 0o600);
    try {
      await file.chmod(0o600);
      const lines = new Lines();
      const write = async (text: string): Promise<void> => {
        await file.writeFile(text);
        written.bytes += Buffer.byteLength(text);
      };
      await db
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute(async (tx) => {
          const schema = await schemaOf(tx);
          if (schema !== migrations.length || (await readSetting(tx, 'controllerId')) === null) {
            const hint = `${backend.where} has schema ${schema}, this program knows ${migrations.length}; use the vrouter-controller that runs on it`;
            throw new ProblemError(problem('data.corrupt', schema === 0 ? `${backend.where} is empty` : hint));
          }
          await write(lines.line({ vrouterBackup: FORMAT, version: VERSION, schema, takenUnixMs: nowUnixMs }));
          for (const table of tableNames) {
            for await (const rows of pages(tx, table)) {
              await write(lines.line({ table, rows }));
              written.rows += rows.length;
            }
          }
        });
      for (const name of await filesOf(join(data, 'ca'))) {
        const bytes = await readFile(join(data, 'ca', name));
        await write(lines.line({ file: `ca/${name}`, base64: bytes.toString('base64') }));
        written.files++;
      }
      if (written.files === 0)
        throw new ProblemError(
          problem('data.corrupt', `${join(data, 'ca')} has no keys: this is no folder of a controller`),
        );
      await write(lines.end());
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    return written;
  } catch (thrown) {
    await rm(part, { force: true });
    if (thrown instanceof ProblemError) throw thrown;
    throw new ProblemError(problem('data.unwritable', `cannot write ${path}: ${String(thrown)}`));
  } finally {
    await db.destroy();
  }
}

type Row = Record<string, string | number | null>;

/** All rows of a table in the order of its key, a page at a time. */
async function* pages(db: Reader, table: TableName): AsyncGenerator<Row[]> {
  const key = keyOf(table);
  const columns = sql.join(key.map((column) => sql.ref(column)));
  let after: Row | null = null;
  for (;;) {
    const last: Row | null = after;
    const from: RawBuilder<unknown> =
      last === null ? sql`` : sql`where (${columns}) > (${sql.join(key.map((column) => last[column]))})`;
    const page: RawBuilder<Row> = sql<Row>`select * from ${sql.table(table)} ${from} order by ${columns} limit ${ROWS_MAX}`;
    const rows: Row[] = (await page.execute(db)).rows;
    if (rows.length > 0) yield rows;
    if (rows.length < ROWS_MAX) return;
    after = rows.at(-1)!;
  }
}

/** Names of the files below a folder, relative to it. */
async function filesOf(folder: string): Promise<string[]> {
  if (!(await exists(folder))) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
