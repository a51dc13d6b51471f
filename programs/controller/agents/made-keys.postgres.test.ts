/** What made-keys.test.ts says, of PostgreSQL. */
import { onPostgres } from '../testing/postgres.testing.ts';

await onPostgres(() => import('./made-keys.test.ts'));
