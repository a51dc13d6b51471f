/** What shared.test.ts says, of PostgreSQL. */
import { onPostgres } from '../testing/postgres.testing.ts';

await onPostgres(() => import('./shared.test.ts'));
