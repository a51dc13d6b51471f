/** What truth.test.ts says, of PostgreSQL. */
import { onPostgres } from '../../programs/controller/testing/postgres.testing.ts';

await onPostgres(() => import('./truth.test.ts'));
