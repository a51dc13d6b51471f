import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { IntentKey } from '@vrouter/intent/model/intents.ts';
import { openDatabase, transaction } from './database.ts';
import { type Enrolment, Store } from './store.ts';

function temporaryPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'vr-store-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'vrouterd.db');
}

const enrolment: Enrolment = {
  gatewayId: 'gw-1',
  name: 'paris',
  assignedIp: '10.77.0.1',
  wireguardPublicKey: 'k',
  controllerUrl: 'https://127.0.0.1:8443',
  controllerId: 'c-1',
  rootFingerprint: 'ab'.repeat(32),
  joinTokenHash: 'ef'.repeat(32),
};
const sync = (version: number) => ({ version, hash: 'cd'.repeat(32), lastPollUnixMs: 5 });
const key = (text: string): IntentKey => text as IntentKey;

test('what was stored is there after the file is opened again, in the order in which it was first said', (t) => {
  const path = temporaryPath(t);
  {
    using store = new Store(openDatabase(path));
    store.saveEnrolment(enrolment, { join: [enrolment.controllerUrl], learnt: [] });
    store.commit('controller', { put: [{ key: key('vrf/b'), body: { n: 1 } }], remove: [] }, sync(1));
    store.commit('controller', { put: [{ key: key('vrf/a'), body: { n: 2 } }], remove: [] }, sync(2));
    store.commit('controller', { put: [{ key: key('vrf/b'), body: { n: 3 } }], remove: [] }, sync(3));
  }
  using store = new Store(openDatabase(path));
  assert.deepEqual(store.enrolment(), enrolment);
  assert.deepEqual(store.syncState(), sync(3));
  assert.deepEqual(store.intents(), [
    { source: 'controller', key: 'vrf/b', body: { n: 3 } },
    { source: 'controller', key: 'vrf/a', body: { n: 2 } },
  ]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('sources do not touch each other, and a new enrolment forgets the version, not the intents', (t) => {
  using store = new Store(openDatabase(temporaryPath(t)));
  store.commit('controller', { put: [{ key: key('vrf/a'), body: 1 }], remove: [] }, sync(1));
  store.commit('cli', { put: [{ key: key('vrf/a'), body: 2 }], remove: [] }, null);
  store.commit('cli', { put: [], remove: [key('vrf/zzz')] }, null);
  assert.equal(store.intents().length, 2);
  store.saveEnrolment(enrolment, { join: [enrolment.controllerUrl], learnt: [] });
  assert.equal(store.intents().length, 2);
  assert.deepEqual(store.syncState(), { version: 0, hash: null, lastPollUnixMs: null });
});

test('a transaction that throws leaves nothing behind', (t) => {
  const db = openDatabase(temporaryPath(t));
  using store = new Store(db);
  assert.throws(() =>
    transaction(db, () => {
      db.exec(`INSERT INTO allocations VALUES ('table', 'blue', 1)`);
      throw new Error('cut');
    }),
  );
  assert.equal(store.allocate('table', 'red', 1), 1);
});

test('an allocated number stays, and the lowest free one is taken', (t) => {
  using store = new Store(openDatabase(temporaryPath(t)));
  const numbers = ['a', 'b', 'c', 'a', 'c'].map((name) => store.allocate('table', name, 1));
  assert.deepEqual(numbers, [1, 2, 3, 1, 3]);
  assert.equal(store.allocate('vlan', 'a', 100), 100);
});

test('interfaces and routes are kept as the plane was last seen', (t) => {
  using store = new Store(openDatabase(temporaryPath(t)));
  const wg0 = { name: 'wg0', index: 1, type: 'wireguard', endpoints: { peer: '192.0.2.1:5' } };
  store.saveInterfaces([wg0, { ...wg0, name: 'wg1' }]);
  store.saveInterfaces([wg0]);
  assert.deepEqual(store.interfaces(), [wg0]);
});

test('a database of a newer vrouterd is refused with what to do, and not touched', (t) => {
  const path = temporaryPath(t);
  new Store(openDatabase(path))[Symbol.dispose]();
  const newer = new DatabaseSync(path);
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  assert.throws(
    () => openDatabase(path),
    (thrown: unknown) => thrown instanceof ProblemError && /newer vrouterd/.test(thrown.problem.message),
  );
});

test('the time of the last poll is noted beside the version', (t) => {
  using store = new Store(openDatabase(temporaryPath(t)));
  store.commit('controller', { put: [], remove: [] }, sync(4));
  store.notePoll(77);
  assert.deepEqual(store.syncState(), { ...sync(4), lastPollUnixMs: 77 });
});

test('a damaged database is said to be so', (t) => {
  const path = temporaryPath(t);
  writeFileSync(path, Buffer.alloc(4096, 0x5a));
  assert.throws(
    () => openDatabase(path),
    (thrown: unknown) => thrown instanceof ProblemError && thrown.problem.code === 'data.corrupt',
  );
});
