/** What several workers answer, as one answer. */
import type { Problem } from '@vrouter/core/problem.ts';
import type { DumpRow } from '../control/messages.ts';
import { keeperOf, ownerOf } from './share.ts';

/** Results of `count` actions: the workers have the same tables, so they agree; the first problem is the answer. */
export function joinResults(count: number, answers: readonly (readonly (Problem | null)[])[]): (Problem | null)[] {
  return Array.from(
    { length: count },
    (_, i) => answers.map((results) => results[i] ?? null).find((one) => one !== null) ?? null,
  );
}

/**
 * Rows of the keeper's dump and of the others' own peers, by worker. The keeper has every row, and what there is once is as it sees it; what a peer has seen stands in its owner's. A peer that its owner
 * does not have is on its way in or out.
 */
export function joinRows(answers: readonly (readonly DumpRow[])[], workers: number): DumpRow[] {
  const owned = new Map<string, DumpRow>();
  const keeper = keeperOf(workers);
  for (const [worker, rows] of answers.entries())
    if (worker !== keeper) for (const row of rows) if (row.is === 'peer') owned.set(nameOf(row), row);
  const joined: DumpRow[] = [];
  for (const row of answers[keeper]!) {
    if (row.is !== 'peer' || ownerOf(Uint8Array.fromBase64(row.publicKey), workers) === keeper) joined.push(row);
    else {
      const real = owned.get(nameOf(row));
      if (real !== undefined) joined.push(real);
    }
  }
  return joined;
}

function nameOf(row: { readonly link: string; readonly publicKey: string }): string {
  return `${row.link} ${row.publicKey}`;
}
