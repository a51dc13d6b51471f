/** Where the next page of a list begins, as text that callers only hand back: the list that it is of, and the key of the last row. */

import type { PageQuery } from '@vrouter/api/rest/paging.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Page, Paged } from '../desk/page.ts';

export function cursorText(list: string, key: string): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url');
}

/** The key in a cursor of this very list; null: it is none. */
export function readCursor(list: string, text: string): string | null {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
  if (!Array.isArray(read) || read.length !== 2 || read[0] !== list || typeof read[1] !== 'string') return null;
  // Whatever else reads as the same is none that we gave.
  return cursorText(list, read[1]) === text ? read[1] : null;
}

/** A page of the list of that name, `peers/edge-1`, with the cursor of the next one. Throws `input.invalid`, and what `read` throws. */
export async function paged<P extends Paged<unknown>>(
  list: string,
  { limit, cursor }: PageQuery,
  read: (page: Page) => P | Promise<P>,
): Promise<P> {
  const after = cursor === undefined ? null : readCursor(list, cursor);
  if (cursor !== undefined && after === null)
    throw new ProblemError(
      problem(
        'input.invalid',
        'this is no cursor of this list; take `next` of the page before, or begin anew',
        'cursor',
      ),
    );
  const page = await read({ limit, after });
  return { ...page, next: page.next === null ? null : cursorText(list, page.next) };
}
