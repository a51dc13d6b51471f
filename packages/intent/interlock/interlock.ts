/**
 * The interlock against losing much by mistake: a source far away (the controller) that suddenly no longer knows a large part of a kind
 * is not believed at once. Nobody's own commands are held.
 */
import type { IntentSource } from '../model/intents.ts';

/** A state is held when it removes at least this share of a kind... */
export const HELD_SHARE = 1 / 5;
/** ...and at least this many of it. */
export const HELD_LEAST = 10;

/** Numbers by kind. */
export type KindCounts = ReadonlyMap<string, number>;

export type Verdict =
  | { readonly held: false }
  | {
      readonly held: true;
      /** The kinds over the limit, sorted. */
      readonly kinds: readonly { readonly kind: string; readonly before: number; readonly removes: number }[];
      /** For people. */
      readonly reason: string;
    };

/** Whether a state of `source` that removes `removes` out of `before` must wait until someone confirms it. */
export function interlock(source: IntentSource, before: KindCounts, removes: KindCounts): Verdict {
  if (source !== 'controller') return { held: false };
  const kinds = [...removes]
    .map(([kind, count]) => ({ kind, before: before.get(kind) ?? 0, removes: count }))
    .filter((row) => row.removes >= HELD_LEAST && row.removes >= row.before * HELD_SHARE)
    .sort((a, b) => (a.kind < b.kind ? -1 : 1));
  if (kinds.length === 0) return { held: false };
  const parts = kinds.map((row) => `${row.removes} of ${row.before} ${wordFor(row.kind)}`);
  return { held: true, kinds, reason: `the controller would remove ${parts.join(', ')}` };
}

/** More than one of a kind, since fewer than `HELD_LEAST` are never held: `peer` becomes `peers`, `publishedPort` `published ports`. */
function wordFor(kind: string): string {
  const words = kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.endsWith('s') ? `${words}${words.endsWith('ss') ? 'es' : ''}` : `${words}s`;
}

/** Counts keys (`peer/wg0/...`) by their kind. */
export function countKinds(keys: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) {
    const kind = key.slice(0, key.indexOf('/'));
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
