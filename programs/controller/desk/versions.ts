/** Verbs on what a configuration was: its versions, what each changed, what lies between two. Secrets are not shown. */
import type { DiffQuery, DiffReply, IntentChange, VersionReply, VersionRow } from '@vrouter/api/rest/versions.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Head } from '../desired/head.ts';
import { changesBetween, earliestKept, type NetChange, versionsOf } from '../store/versions.ts';
import type { Desk } from './desk.ts';
import { cut, mapPage, type Page, type Paged } from './page.ts';
import { shownIntent } from './secrets.ts';

/** Newest first. The key of a row is its version. Throws `vrouter.notFound`, `input.invalid`. */
export async function listVersions(desk: Desk, vrouter: string, { limit, after }: Page): Promise<Paged<VersionRow>> {
  const head = desk.desired.get(vrouter);
  if (after !== null && !/^\d{1,15}$/.test(after))
    throw new ProblemError(problem('input.invalid', 'this is no cursor of this list; begin anew', 'cursor'));
  const rows = await versionsOf(desk.db, head.row.id, after === null ? null : Number(after), limit + 1);
  return cut(rows, limit, ({ version }) => String(version));
}

/** A version and a page of what it changed. Throws `vrouter.notFound`, `version.notFound`, `version.notKept`. */
export async function showVersion(
  desk: Desk,
  vrouter: string,
  version: number,
  page: Page,
): Promise<Omit<VersionReply, 'changes' | 'next'> & Paged<IntentChange>> {
  const head = desk.desired.get(vrouter);
  requireVersion(head, version, 'version', 1);
  const [row] = await versionsOf(desk.db, head.row.id, version + 1, 1);
  if (row?.version !== version || row.action === null) throw await notKept(desk, head, version - 1);
  const { changed: _, ...rest } = row;
  return { vrouter, ...rest, ...(await between(desk, head, version - 1, version, page)) };
}

/** Two versions that a diff is of, as numbers. Throws `vrouter.notFound`, `version.notFound`. */
export function endsOf(
  desk: Desk,
  vrouter: string,
  query: Pick<DiffQuery, 'from' | 'to'>,
): { from: number; to: number } {
  const head = desk.desired.get(vrouter);
  const { to = head.version } = query;
  requireVersion(head, to, 'to');
  const from = query.from === 'applied' ? appliedVersion(desk, head) : (query.from ?? Math.max(0, to - 1));
  requireVersion(head, from, 'from');
  return { from, to };
}

/** A page of what is other at `to` than at `from`, whichever is the later. Throws `vrouter.notFound`, `version.notKept`. */
export async function diffVersions(
  desk: Desk,
  vrouter: string,
  { from, to }: { readonly from: number; readonly to: number },
  page: Page,
): Promise<Pick<DiffReply, 'vrouter' | 'from' | 'to'> & Paged<IntentChange>> {
  const head = desk.desired.get(vrouter);
  return { vrouter, from, to, ...(await between(desk, head, from, to, page)) };
}

async function between(
  desk: Desk,
  head: Head,
  from: number,
  to: number,
  { limit, after }: Page,
): Promise<Paged<IntentChange>> {
  const [first, last] = from < to ? [from, to] : [to, from];
  const net = first === last ? [] : await changesBetween(desk.db, head.row.id, first, last);
  if (net === null) throw await notKept(desk, head, first);
  const later = after === null ? net : net.filter(({ key }) => key > after);
  const page = cut(later.slice(0, limit + 1), limit, ({ key }) => key);
  return mapPage(page, (change) => shown(from < to ? change : reversed(change)));
}

function shown({ key, before, after }: NetChange): IntentChange {
  return {
    key,
    op: before === null ? 'add' : after === null ? 'remove' : 'change',
    before: before === null ? null : shownIntent(before),
    after: after === null ? null : shownIntent(after),
  };
}

function reversed({ key, before, after }: NetChange): NetChange {
  return { key, before: after, after: before };
}

function appliedVersion(desk: Desk, head: Head): number {
  const applied = desk.roster.of(head.row.id)?.row.appliedVersion ?? null;
  if (applied !== null) return applied;
  const hint = `no gateway of ${head.row.name} has said yet what it has applied; name a version instead`;
  throw new ProblemError(problem('version.notFound', hint, 'from'));
}

/** Throws `version.notFound`. */
function requireVersion(head: Head, version: number, field: string, least = 0): void {
  if (version >= least && version <= head.version) return;
  const hint = `there is no version ${version} of ${head.row.name}; the newest is ${head.version}`;
  throw new ProblemError(problem('version.notFound', hint, field));
}

async function notKept(desk: Desk, head: Head, version: number): Promise<ProblemError> {
  const earliest = (await earliestKept(desk.db, head.row.id)) ?? head.version;
  const hint = `what ${head.row.name} was at version ${version} is not kept any more; it goes back to version ${earliest}`;
  return new ProblemError(problem('version.notKept', hint, 'from'));
}
