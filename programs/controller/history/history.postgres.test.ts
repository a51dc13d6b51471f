/** What history.test.ts says, of PostgreSQL. */
import { onPostgres } from '../testing/postgres.testing.ts';

await onPostgres(() => import('./history.test.ts'));
