/** Next keys that are waited for: who counts as heard, what a restart remembers, and what is forgotten. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { PeerFacts } from '@vrouter/drivers/contract/counters.ts';
import { type PeerSuccessorIntent, successorKey } from '@vrouter/intent/model/intents.ts';
import { testKey } from '@vrouter/intent/testing/outside.ts';
import { openDatabase } from '../store/database.ts';
import { Store } from '../store/store.ts';
import { Successions } from './successions.ts';

const folder = mkdtempSync(join(tmpdir(), 'vr-succession-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const intent = (n: number, more: Partial<PeerSuccessorIntent> = {}): PeerSuccessorIntent => ({
  kind: 'peerSuccessor',
  interface: 'wg0',
  publicKey: testKey(n),
  nextPublicKey: testKey(n + 100),
  presharedKey: null,
  rotation: 'r1',
  open: true,
  ...more,
});
const fact = (n: number, lastHandshakeUnixMs: number | null): PeerFacts => ({
  link: 'wg0',
  publicKey: testKey(n),
  endpoint: null,
  lastHandshakeUnixMs,
  handshakeTimestamp: null,
  rxBytes: 0,
  txBytes: 0,
  rxPackets: 0,
  txPackets: 0,
});

class World {
  readonly path = join(folder, `${files++}.db`);
  store = new Store(openDatabase(this.path));
  now = 1_800_000_000_000;
  isTrue = true;
  facts: readonly PeerFacts[] = [];
  readonly heard: string[] = [];
  successions = this.#open();

  #open(): Successions {
    return new Successions({
      store: this.store,
      unixMs: () => this.now,
      facts: async () => this.facts,
      isTrue: () => this.isTrue,
      heard: (said) => this.heard.push(said.publicKey),
    });
  }

  /** As after kill -9. */
  restart(): void {
    this.store[Symbol.dispose]();
    this.store = new Store(openDatabase(this.path));
    this.successions = this.#open();
  }

  has(n: number, rotation = 'r1'): boolean {
    return this.successions.has('wg0', testKey(n), rotation);
  }
}

test('the first handshake with the next key counts, is told once, and outlives a restart', () => {
  const world = new World();
  for (const n of [1, 2]) world.successions.said(intent(n));
  world.successions.look([fact(1, world.now), fact(101, null), fact(2, world.now)]);
  assert.deepEqual([world.has(1), world.successions.told()], [false, []]);
  world.successions.look([fact(1, world.now), fact(101, world.now)]);
  world.successions.look([fact(101, world.now)]);
  assert.deepEqual([world.has(1), world.has(2), world.heard], [true, false, [testKey(1)]]);
  const told = [{ interface: 'wg0', publicKey: testKey(1), rotation: 'r1' }];
  assert.deepEqual(world.successions.told(), told);
  world.restart();
  for (const n of [1, 2]) world.successions.said(intent(n));
  world.successions.tidy();
  assert.deepEqual([world.has(1), world.has(2), world.successions.told()], [true, false, told]);
});

test('one that was taken back is not heard any more, and one that was heard stays when it is taken back', () => {
  const world = new World();
  world.successions.said(intent(1));
  world.successions.said(intent(2));
  world.successions.look([fact(102, world.now)]);
  for (const n of [1, 2]) world.successions.said(intent(n, { open: false }));
  world.successions.look([fact(101, world.now), fact(102, world.now)]);
  assert.deepEqual([world.has(1), world.has(2)], [false, true]);
});

test('what was heard is forgotten with its intent, with another rotation of the peer, and when no intent is left after a start', () => {
  const world = new World();
  for (const n of [1, 2, 3]) world.successions.said(intent(n));
  world.successions.look([1, 2, 3].map((n) => fact(n + 100, world.now)));
  world.successions.gone(successorKey('wg0', testKey(1)));
  world.successions.said(intent(2, { rotation: 'r2' }));
  assert.deepEqual([world.has(1), world.has(2), world.has(2, 'r2'), world.has(3)], [false, false, false, true]);
  world.restart();
  world.successions.tidy();
  assert.deepEqual([world.has(3), world.store.successions()], [false, []]);
});

test('a new preshared key is heard with the first handshake that can only have been made with it', () => {
  const world = new World();
  const only = intent(1, { nextPublicKey: testKey(1) });
  world.successions.said(only);
  // The plane does not have it yet: whatever handshake there is was made with the old one.
  world.isTrue = false;
  world.successions.look([fact(1, world.now)]);
  world.isTrue = true;
  world.successions.look([fact(1, world.now)]);
  // One that was under way when the plane got it, however late it is complete.
  world.now += 4999;
  world.successions.look([fact(1, world.now)]);
  assert.equal(world.has(1), false);
  world.now += 1;
  world.successions.look([fact(1, world.now)]);
  assert.equal(world.has(1), true);
});

test('it looks while somebody is waited for, and only then', async () => {
  const world = new World();
  let looks = 0;
  const { store } = world;
  const successions = new Successions({
    store,
    unixMs: Date.now,
    facts: async () => {
      looks++;
      return world.facts;
    },
    isTrue: () => true,
    heard: (said) => world.heard.push(said.publicKey),
  });
  successions.watch();
  await delay(150);
  assert.equal(looks, 0);
  successions.said(intent(1));
  successions.watch();
  successions.watch();
  for (let tries = 0; looks < 2 && tries < 100; tries++) await delay(20);
  world.facts = [fact(101, 1)];
  for (let tries = 0; world.heard.length === 0 && tries < 100; tries++) await delay(20);
  assert.deepEqual(world.heard, [testKey(1)]);
  const after = looks;
  await delay(250);
  assert.equal(looks, after);
  successions.said(intent(2));
  successions.watch();
  await successions.stop();
  assert.ok(looks <= after + 1);
});
