import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { IntentKey } from '@vrouter/intent/model/intents.ts';
import { StateHash } from '@vrouter/intent/version/hash.ts';
import fc from 'fast-check';
import { sha256 } from '../ca/keys.ts';
import { createVrouter } from '../desk/vrouters.ts';
import { openDesk, tester } from '../testing/store.ts';
import type { Draft } from './draft.ts';
import type { Head } from './head.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-desired-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

async function deskWith(name: string) {
  const path = join(folder, `${files++}.db`);
  const desk = await openDesk(path);
  const networks = ['10.0.0.0/24'];
  const input = createVrouterRequest.parse({ name, networks, listenPort: 51820, endpoint: 'h' });
  await createVrouter(desk, tester, input);
  return { desk, path };
}

function state(head: Head): Map<string, string> {
  return new Map(head.bodies);
}

function hashOf(bodies: ReadonlyMap<string, string>): string {
  const hash = new StateHash(sha256);
  for (const [key, body] of bodies) hash.add(key, JSON.parse(body));
  return hash.hex();
}

function toggle(draft: Draft, head: Head, numbers: readonly number[]): void {
  for (const number of numbers) {
    const prefix = `192.168.${number}.0/24`;
    if (head.bodies.has(`route/default/${prefix}`)) draft.remove(`route/default/${prefix}` as IntentKey);
    else draft.put({ kind: 'route', vrf: 'default', prefix, interface: 'wg0', nextHop: null, blackhole: false });
  }
}

test('from any version, the delta leads to the state that is, and hash and store agree', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 }),
      async (changes) => {
        const { desk, path } = await deskWith('v');
        const head = desk.desired.get('v');
        const past = [{ version: head.version, hash: head.hash, bodies: state(head) }];
        for (const numbers of changes) {
          const { version } = await desk.desired.change('v', tester, 'test', async (_tx, draft) =>
            toggle(draft, head, numbers),
          );
          assert.equal(version, past.at(-1)!.version + 1);
          past.push({ version, hash: head.hash, bodies: state(head) });
        }
        await desk.db.destroy();
        const again = await openDesk(path);
        for (const now of [head, again.desired.get('v')]) {
          assert.equal(now.hash, hashOf(now.bodies));
          assert.deepEqual(state(now), past.at(-1)!.bodies);
          for (const { version, hash, bodies } of past) {
            const ops = now.opsSince(version, hash);
            assert.notEqual(ops, null);
            const reached = new Map(bodies);
            for (const { key, body } of ops!) body === null ? reached.delete(key) : reached.set(key, body);
            assert.deepEqual(new Map([...reached].sort()), new Map([...now.bodies].sort()));
            assert.equal(now.opsSince(version, 'ab'.repeat(32)), null, 'another hash is another state');
          }
          assert.equal(now.opsSince(head.version + 1, head.hash), null);
        }
        await again.db.destroy();
      },
    ),
    { numRuns: 25 },
  );
});

test('a change that fails leaves everything as it was', async () => {
  const { desk } = await deskWith('v');
  const head = desk.desired.get('v');
  const before = { version: head.version, hash: head.hash, bodies: state(head) };
  const boom = new Error('boom');
  const failing = desk.desired.change('v', tester, 'test', async (tx, draft) => {
    await tx.deleteFrom('networks').execute();
    toggle(draft, head, [1]);
    throw boom;
  });
  await assert.rejects(failing, boom);
  assert.deepEqual({ version: head.version, hash: head.hash, bodies: state(head) }, before);
  assert.equal((await desk.db.selectFrom('networks').selectAll().execute()).length, 1);
  const { version } = await desk.desired.change('v', tester, 'test', async (_tx, draft) => toggle(draft, head, [1]));
  assert.equal(version, before.version + 1, 'and the next one goes through');
  await desk.db.destroy();
});

test('what changes nothing makes no version', async () => {
  const { desk } = await deskWith('v');
  const head = desk.desired.get('v');
  const { version } = await desk.desired.change('v', tester, 'test', async (_tx, draft) => {
    draft.remove('route/default/192.168.9.0/24' as IntentKey);
    draft.put({ kind: 'address', interface: 'wg0', address: '10.0.0.1/24' });
  });
  assert.equal(version, 1);
  await desk.db.destroy();
  assert.equal(head.changes.length, 1);
});

test('what a gateway would refuse is refused here', async () => {
  const { desk } = await deskWith('v');
  const bad = desk.desired.change('v', tester, 'test', async (_tx, draft) => {
    draft.put({ kind: 'address', interface: 'wg0', address: 'nonsense' });
  });
  await assert.rejects(bad, (thrown) => thrown instanceof ProblemError && thrown.problem.code === 'prefix.invalid');
  await desk.db.destroy();
});

test('a stored hash that is not that of the intents throws the old changes away', async () => {
  const { desk, path } = await deskWith('v');
  await desk.db
    .updateTable('vrouters')
    .set({ stateHash: 'cd'.repeat(32) })
    .execute();
  await desk.db.destroy();
  const again = await openDesk(path);
  const head = again.desired.get('v');
  assert.equal(head.hash, hashOf(head.bodies));
  assert.equal(head.opsSince(1, 'cd'.repeat(32)), null);
  await again.db.destroy();
});

test('only so many changes are kept', async () => {
  const { desk, path } = await deskWith('v');
  const head = desk.desired.get('v');
  const first = head.hash;
  for (let i = 0; i < 600; i++)
    await desk.desired.change('v', tester, 'test', async (_tx, draft) => toggle(draft, head, [i % 7]));
  assert.equal(head.opsSince(1, first), null);
  assert.ok(head.changes.length >= 256);
  const rows = await desk.db.selectFrom('changes').select('version').execute();
  assert.equal(rows.length, head.changes.length);
  const at = head.changes[1]!;
  await desk.db.destroy();
  const again = await openDesk(path);
  assert.notEqual(again.desired.get('v').opsSince(at.version, at.hash), null);
  await again.db.destroy();
});
