/**
 * Loaded into the process of each test file: when all its tests are over, whatever a test left open (a timer, a socket) keeps the process
 * for a while and not for ever. Node's own `--test-force-exit` leaves at once, and on a busy machine before the report is out.
 */
import { after } from 'node:test';

/** Longer than a report takes to leave by a pipe that is read slowly. */
const GRACE_MS = 3000;

after(() => {
  setTimeout(() => process.exit(), GRACE_MS).unref();
});
