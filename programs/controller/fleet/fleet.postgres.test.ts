/** What fleet.test.ts says, of PostgreSQL. */
import { onPostgres } from '../testing/postgres.testing.ts';

await onPostgres(() => import('./fleet.test.ts'));
