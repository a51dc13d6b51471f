/** What join-tokens.test.ts says, of PostgreSQL. */
import { onPostgres } from '../testing/postgres.testing.ts';

await onPostgres(() => import('./join-tokens.test.ts'));
