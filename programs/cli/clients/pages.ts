/** Lists of the controller, page by page: shown as they come, however long they are. */
import { PAGE_MAX } from '@vrouter/api/rest/paging.ts';
import { type Cell, tableInParts } from '@vrouter/core/table.ts';
import type { Session } from '../session.ts';
import type { Schema } from './reply.ts';

/** How one list is called and shown. */
export interface Listing<N extends string, T> {
  /** Path, with a query where the list has one besides pages. */
  readonly path: string;
  /** The member of the answer that has the rows. */
  readonly member: N;
  readonly schema: Schema<{ readonly [K in N]: readonly T[] } & { readonly next?: string | null | undefined }>;
  readonly heads: readonly string[];
  row(item: T, nowUnixMs: number): readonly Cell[];
  /** The sentence when there are none. */
  readonly none: string;
}

/** Prints the rows; with --json one object as the controller gives it, with the rows of all pages. `limit`: rows, at most. */
export async function showPages<N extends string, T>(
  session: Session,
  { path, member, schema, heads, row, none }: Listing<N, T>,
  limit: number | undefined,
): Promise<void> {
  const controller = session.controller();
  const print = session.json ? jsonInParts(session, member) : null;
  const text = tableInParts(heads);
  const now = session.world.nowUnixMs();
  let left = limit ?? Number.POSITIVE_INFINITY;
  let shown = 0;
  for (let cursor: string | null = null; ; ) {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const ask = `${path}${path.includes('?') ? '&' : '?'}limit=${Math.min(left, PAGE_MAX)}${query}`;
    const { data, raw } = await controller.get(ask, schema);
    // An older controller gives all at once.
    const rows = data[member].slice(0, left);
    const next = data.next ?? null;
    left -= rows.length;
    shown += rows.length;
    const last = next === null || left === 0;
    if (print !== null) print(raw as { readonly [name: string]: unknown }, rows.length, last);
    else if (rows.length > 0) session.world.out(text(rows.map((item) => row(item, now))));
    if (last) {
      if (print === null && shown === 0) session.world.out(none);
      if (print === null && next !== null) session.world.note(`there are more than these ${shown}`);
      return;
    }
    cursor = next;
  }
}

/** Prints `{"rows": [...], ...}` in the form that JSON.stringify gives it, rows as they come and the other members at the end. */
function jsonInParts(session: Session, member: string) {
  const { world } = session;
  const lines = (value: unknown, indent: string): string =>
    JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`);
  let begun = false;
  let held: string | null = null;
  return (page: { readonly [name: string]: unknown }, most: number, last: boolean): void => {
    const rows = (page[member] as readonly unknown[]).slice(0, most);
    if (!begun && last && rows.length === 0) {
      world.out(JSON.stringify(page, null, 2));
      return;
    }
    if (!begun) world.out(`{\n  ${JSON.stringify(member)}: [`);
    begun = true;
    for (const row of rows) {
      if (held !== null) world.out(`${held},`);
      held = `    ${lines(row, '    ')}`;
    }
    if (!last) return;
    if (held !== null) world.out(held);
    const others = Object.entries(page).filter(([name, value]) => name !== member && value !== undefined);
    const tail = others.map(([name, value]) => `,\n  ${JSON.stringify(name)}: ${lines(value, '  ')}`).join('');
    world.out(`  ]${tail}\n}`);
  };
}
