import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { IntentKey } from '@vrouter/intent/model/intents.ts';
import { pino } from 'pino';
import { Events } from '../events.ts';
import { openDatabase } from './database.ts';
import { Keeping } from './keeping.ts';
import { Store } from './store.ts';

const sync = (version: number) => ({ version, hash: 'cd'.repeat(32), lastPollUnixMs: 5 });
const put = (n: number, size = 10) => ({
  put: [{ key: `vrf/v${n}` as IntentKey, body: { text: 'x'.repeat(size) } }],
  remove: [],
});

/** A store in a file, and what is told of it. */
function world() {
  const folder = mkdtempSync(join(tmpdir(), 'vr-keeping-'));
  const db = openDatabase(join(folder, 'vrouterd.db'));
  const told: string[] = [];
  const events = new Events();
  events.watch(({ text }) => told.push(text));
  const log = pino({ level: 'silent' });
  return {
    db,
    path: join(folder, 'vrouterd.db'),
    store: new Store(db),
    keeping: new Keeping(log, events),
    told,
    [Symbol.dispose]: () => {
      db.close();
      rmSync(folder, { recursive: true });
    },
  };
}

test('a full database leaves nothing half done, is told once, and takes everything when there is room', () => {
  using w = world();
  w.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const pages = Number(w.db.prepare('PRAGMA page_count').get()!.page_count);
  w.db.exec(`PRAGMA max_page_count = ${pages + 1}`);
  for (const n of [1, 2, 3])
    assert.equal(
      w.keeping.attempt(() => w.store.commit('controller', put(n, 100_000), sync(n))),
      false,
    );
  assert.equal(w.keeping.problem?.code, 'data.unwritable');
  assert.match(w.keeping.problem.message, /vrouterd\.db cannot be written now \(.*full\)/);
  assert.deepEqual([w.store.intents(), w.store.syncState().version, w.told.length], [[], 0, 1]);
  assert.equal(
    w.keeping.attempt(() => false),
    true,
    'nothing to write says nothing of the disk',
  );
  assert.notEqual(w.keeping.problem, null);
  w.db.exec('PRAGMA max_page_count = 1000000');
  assert.equal(
    w.keeping.attempt(() => w.store.commit('controller', put(4, 100_000), sync(4))),
    true,
  );
  assert.deepEqual([w.keeping.problem, w.store.syncState().version, w.told.length], [null, 4, 2]);
});

test('a locked database is the same', () => {
  using w = world();
  w.db.exec('PRAGMA busy_timeout = 10');
  using other = new DatabaseSync(w.path);
  other.exec('BEGIN IMMEDIATE');
  assert.equal(
    w.keeping.attempt(() => w.store.commit('controller', put(1), sync(1))),
    false,
  );
  assert.equal(
    w.keeping.attempt(() => w.store.notePoll(7)),
    false,
  );
  assert.throws(
    () => w.store.allocate('table', 'blue', 1),
    (thrown) => thrown instanceof ProblemError && thrown.problem.code === 'data.unwritable',
  );
  other.exec('ROLLBACK');
  assert.equal(
    w.keeping.attempt(() => w.store.commit('controller', put(1), sync(1))),
    true,
  );
  assert.equal(w.store.allocate('table', 'blue', 1), 1);
});

test('what is no trouble of the store is thrown on', () => {
  using w = world();
  assert.throws(
    () =>
      w.keeping.attempt(() => {
        throw new RangeError('a bug');
      }),
    RangeError,
  );
  assert.equal(w.keeping.problem, null);
});
