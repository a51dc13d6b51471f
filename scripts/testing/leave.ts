/**
 * Loaded into the process of each test file: when all its tests are over, whatever a test left open (a timer, a socket) keeps the process
 * for a while and not for ever. Node's own `--test-force-exit` leaves at once, and on a busy machine before the report is out.
 */
import { isMainThread } from 'node:worker_threads';

/** Longer than a report takes to leave by a pipe that is read slowly. */
const GRACE_MS = 3000;

// Worker threads load it too. The test runner takes over the exit of a thread that loads it, and the thread's own last doings are then
// not waited for: a worker that ended with a readable descriptor took the process with it.
if (isMainThread) {
  const { after } = await import('node:test');
  after(() => {
    setTimeout(() => process.exit(), GRACE_MS).unref();
  });
}
