/** Numbers that only grow and outlive a restart. */
import type { Reader, Tx } from './schema.ts';

export type CounterName = 'joinsDone' | 'joinsRefused' | 'certificatesIssued' | 'changes';

export async function count(tx: Reader | Tx, name: CounterName): Promise<void> {
  await tx
    .insertInto('counters')
    .values({ name, value: 1 })
    .onConflict((c) => c.column('name').doUpdateSet((e) => ({ value: e('counters.value', '+', 1) })))
    .execute();
}

export async function readCounters(db: Reader): Promise<Map<string, number>> {
  const rows = await db.selectFrom('counters').selectAll().execute();
  return new Map(rows.map((row) => [row.name, row.value]));
}
