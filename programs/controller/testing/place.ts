/** Which database the stores of a test file are in: SQLite, unless the file was loaded by `onPostgres` (postgres.testing.ts). */
import { createHash } from 'node:crypto';
import type { StoreBackend } from '../store/dialect/backend.ts';
import { postgresBackend } from '../store/dialect/postgres.ts';
import { sqliteBackend } from '../store/dialect/sqlite.ts';

export interface Place {
  /** Makes a database of that name if there is none, and tells its URL; null: SQLite. */
  postgres: ((name: string) => Promise<string>) | null;
}

export const place: Place = { postgres: null };

/** For what a test calls a file: that file, or a database that is as good. */
export async function backendFor(path: string): Promise<StoreBackend> {
  const url = await urlFor(path);
  return url === null ? sqliteBackend(path) : postgresBackend(url);
}

/** The database for a path, null for SQLite. */
export async function urlFor(path: string): Promise<string | null> {
  return place.postgres === null ? null : place.postgres(databaseName(path));
}

export function databaseName(path: string): string {
  return `t${createHash('sha256').update(path).digest('hex').slice(0, 20)}`;
}
