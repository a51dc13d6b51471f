/** What each change of the configuration took the place of, and who asked for it; null of those that were made before this was kept. */
import type { Kysely } from 'kysely';

export async function authors({ schema }: Kysely<unknown>): Promise<void> {
  for (const column of ['before', 'actor', 'tokenId', 'action'])
    await schema.alterTable('changes').addColumn(column, 'text').execute();
}
