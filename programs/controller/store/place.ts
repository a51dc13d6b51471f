/** Where the store is, as `--store` says it: a PostgreSQL URL, or a file that holds one, since a password is nobody else's to see. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { StoreBackend } from './dialect/backend.ts';
import { postgresBackend } from './dialect/postgres.ts';
import { sqliteBackend } from './dialect/sqlite.ts';

const SCHEME = /^postgres(ql)?:\/\//;
const OPTION = '--store';
/** No URL is longer, bytes. */
const FILE_MAX = 4096;

/**
 * The URL of a PostgreSQL database, or null for the file in the data folder. Throws `usage` when a password is in the command line,
 * where every user of the machine reads it, and `config.invalid` when the file has no URL or is open to others.
 */
export function readStorePlace(text: string | null): string | null {
  if (text === null) return null;
  if (SCHEME.test(text)) {
    if (!hasPassword(readUrl(text, OPTION))) return text;
    const hint = `${OPTION} would show the password to every user of this machine: put the URL into a file of mode 0600 and name that, or use PGPASSFILE`;
    throw new ProblemError(problem('usage', hint, OPTION));
  }
  return readUrlFile(text);
}

/** `url` as `readStorePlace` gives it. Throws `data.corrupt`, `data.unwritable` for the file. */
export function storeBackend(data: string, url: string | null): StoreBackend {
  return url === null ? sqliteBackend(join(data, 'controller.db')) : postgresBackend(url);
}

function readUrlFile(path: string): string {
  const wrong = (why: string) => new ProblemError(problem('config.invalid', `${OPTION} ${path}: ${why}`, OPTION));
  let text: string;
  try {
    const { mode, size } = statSync(path);
    if (size > FILE_MAX) throw wrong('this is no file with a URL in it');
    text = readFileSync(path, 'utf8').trim();
    if ((mode & 0o077) !== 0 && SCHEME.test(text) && hasPassword(readUrl(text, path)))
      throw wrong('others may read the password in it; chmod 600 it');
  } catch (thrown) {
    if (thrown instanceof ProblemError) throw thrown;
    throw wrong('neither a postgres:// URL nor a file that can be read');
  }
  if (!SCHEME.test(text)) throw wrong('its content does not begin with postgres://');
  readUrl(text, path);
  return text;
}

/** The part of it before `?` may name a socket folder in ways that URL does not know; all that matters here it does. */
function readUrl(text: string, where: string): URL {
  const url = URL.parse(text) ?? URL.parse(text.replace(/^([^:]+:\/\/[^/@]*@)\//, '$1localhost/'));
  if (url !== null) return url;
  throw new ProblemError(problem('config.invalid', `${where}: this is no postgres:// URL`, OPTION));
}

function hasPassword(url: URL): boolean {
  return url.password !== '' || url.searchParams.has('password');
}
