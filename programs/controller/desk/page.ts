/** Lists by pages: by the key of the last row that was given, not by how many there were, so that who comes and goes moves nobody. */
import type { HeadView } from '../desired/head.ts';

export interface Page {
  /** Rows at most. */
  readonly limit: number;
  /** Key of the last row of the page before; null: the first page. */
  readonly after: string | null;
}

export interface Paged<T> {
  readonly rows: T[];
  /** Key of the last row when there are more; null: there are none. */
  readonly next: string | null;
}

/** The page of keys in any order, each once. */
export function pageOfKeys(keys: Iterable<string>, { limit, after }: Page): Paged<string> {
  const later: string[] = [];
  for (const key of keys) if (after === null || key > after) later.push(key);
  return cut(later.sort(), limit, (key) => key);
}

/** Keys of the intents of a kind, by page. */
export function pageOfKind(head: HeadView, kind: string, page: Page): Paged<string> {
  return pageOfKeys(head.keys(`${kind}/`), page);
}

/** Rows that were read with one more than `limit`, to see whether there are more. */
export function cut<T>(rows: T[], limit: number, keyOf: (row: T) => string): Paged<T> {
  if (rows.length <= limit) return { rows, next: null };
  const page = rows.slice(0, limit);
  return { rows: page, next: keyOf(page.at(-1)!) };
}

/** The same page of what each row stands for. */
export function mapPage<A, B>({ rows, next }: Paged<A>, of: (row: A) => B): Paged<B> {
  return { rows: rows.map(of), next };
}
