import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { PollReply } from '@vrouter/api/agent/agent.ts';
import type { Json } from '@vrouter/core/json.ts';
import type { IntentKey } from '@vrouter/intent/model/intents.ts';
import { StateHash } from '@vrouter/intent/version/hash.ts';
import { ControllerState, readIntent } from './sync.ts';

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();

function hashOf(state: Record<string, Json>): string {
  const hash = new StateHash(sha256);
  for (const [key, body] of Object.entries(state)) hash.add(key, body);
  return hash.hex();
}

function reply(over: Partial<PollReply>): PollReply {
  const rest = { nextNonce: 'n', pollAfterMs: 0, confirmShrink: false, serverTimeUnixMs: 0 };
  return { version: 1, baseVersion: null, ops: [], hash: hashOf({}), ...rest, ...over };
}

const put = (key: string, intent: unknown) => ({ op: 'put', key, intent }) as const;
const remove = (key: string) => ({ op: 'remove', key }) as const;

function stateOf(version: number, bodies: Record<string, Json>): ControllerState {
  return new ControllerState(sha256, version, Object.entries(bodies) as [IntentKey, Json][]);
}

test('a whole state is taken; what it does not name goes', () => {
  const state = stateOf(1, { 'vrf/a': 1, 'vrf/b': 2 });
  const outcome = state.judge(reply({ version: 2, ops: [put('vrf/b', 3)], hash: hashOf({ 'vrf/b': 3 }) }), false);
  assert.deepEqual(outcome, {
    kind: 'change',
    change: {
      version: 2,
      hash: hashOf({ 'vrf/b': 3 }),
      put: [{ key: 'vrf/b', body: 3 }],
      remove: ['vrf/a'],
    },
  });
});

test('a delta is taken when it starts here and ends at its hash; judging alone changes nothing', () => {
  const state = stateOf(4, { 'vrf/a': 1 });
  const delta = reply({
    version: 6,
    baseVersion: 4,
    ops: [put('vrf/b', { x: 1 }), remove('vrf/a'), put('vrf/b', { x: 2 })],
    hash: hashOf({ 'vrf/b': { x: 2 } }),
  });
  const before = state.hash();
  const outcome = state.judge(delta, false);
  assert.equal(state.hash(), before);
  assert.equal(state.version, 4);
  assert.ok(outcome.kind === 'change');
  state.accept(outcome.change);
  assert.equal(state.version, 6);
  assert.equal(state.hash(), delta.hash);
});

test('the same delta twice is harmless: the second does not start here', () => {
  const state = stateOf(1, {});
  const delta = reply({ version: 2, baseVersion: 1, ops: [put('vrf/a', 1)], hash: hashOf({ 'vrf/a': 1 }) });
  const first = state.judge(delta, false);
  assert.ok(first.kind === 'change');
  state.accept(first.change);
  assert.equal(state.judge(delta, false).kind, 'resync');
});

for (const [name, bad] of [
  ['another base', { version: 3, baseVersion: 2, ops: [], hash: hashOf({ 'vrf/a': 1 }) }],
  ['another hash', { version: 3, baseVersion: 1, ops: [put('vrf/b', 1)], hash: hashOf({ 'vrf/b': 2 }) }],
  ['a whole state with another hash', { version: 3, ops: [put('vrf/b', 1)], hash: hashOf({}) }],
] satisfies [string, Partial<PollReply>][])
  test(`asks for the whole state: ${name}`, () => {
    assert.equal(stateOf(1, { 'vrf/a': 1 }).judge(reply(bad), false).kind, 'resync');
  });

test('nothing new is nothing to do', () => {
  const state = stateOf(3, { 'vrf/a': 1 });
  const same = reply({ version: 3, baseVersion: 3, hash: hashOf({ 'vrf/a': 1 }) });
  assert.deepEqual(state.judge(same, false), { kind: 'unchanged' });
});

test('a state that takes away a fifth and at least ten is held, until a person agrees, there or here', () => {
  const peers = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`peer/wg0/${i}`, i]));
  const few = Object.fromEntries(Object.entries(peers).slice(0, 30));
  const ops = Object.entries(few).map(([key, body]) => put(key, body));
  const shrunk = reply({ version: 9, ops, hash: hashOf(few) });
  const state = stateOf(8, peers);
  const held = state.judge(shrunk, false);
  assert.ok(held.kind === 'held');
  assert.deepEqual([held.version, held.removes], [9, 10]);
  assert.equal(state.judge(shrunk, true).kind, 'change');
  assert.equal(state.judge({ ...shrunk, confirmShrink: true }, false).kind, 'change');
  const nine = Object.fromEntries(Object.entries(peers).slice(0, 31));
  const nineGone = reply({
    version: 9,
    ops: Object.entries(nine).map(([key, body]) => put(key, body)),
    hash: hashOf(nine),
  });
  assert.equal(state.judge(nineGone, false).kind, 'change');
});

test('an intent is used only under its own key', () => {
  const blue = { kind: 'vrf', name: 'blue' };
  assert.equal(readIntent('vrf/blue', blue).ok, true);
  assert.equal(readIntent('vrf/red', blue).ok, false);
  assert.equal(readIntent('vrf/blue', { kind: 'fromTheFuture' }).ok, false);
});

test('after joining anew the first whole state is taken, however much it leaves out', () => {
  const peers = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`peer/wg0/${i}`, i]));
  const state = stateOf(8, peers);
  state.forget();
  assert.equal(state.hash(), null);
  const outcome = state.judge(reply({ version: 1 }), false);
  assert.ok(outcome.kind === 'change');
  assert.equal(outcome.change.remove.length, 40);
});

test('a peer that comes under the next key that was known is not lost, however many do; one under a key that was not known is', () => {
  const keys = Array.from({ length: 20 }, (_, n) => n);
  const successor = (n: number): Json => ({ publicKey: `old/${n}=`, nextPublicKey: `new/${n}=` });
  const known = Object.fromEntries(
    keys.flatMap((n) => [
      [`peer/wg0/old/${n}=`, { n }],
      [`peerSuccessor/wg0/old/${n}=`, successor(n)],
    ]),
  );
  const judge = (named: string, stored: Record<string, Json>) => {
    const after = Object.fromEntries(keys.map((n) => [`peer/wg0/${named}/${n}=`, { n }]));
    const gone = Object.keys(stored).filter((key) => !(key in after));
    const ops = [...gone.map(remove), ...Object.entries(after).map(([key, body]) => put(key, body))];
    return stateOf(4, stored).judge(reply({ version: 5, baseVersion: 4, ops, hash: hashOf(after) }), false);
  };
  assert.equal(judge('new', known).kind, 'change');
  // Taken back: the peers stay, and nobody misses what was waited for.
  assert.equal(judge('old', known).kind, 'change');
  const held = judge('other', known);
  assert.ok(held.kind === 'held');
  assert.match(held.reason, /^the controller would remove 20 of 20 peers$/);
  const without = Object.fromEntries(Object.entries(known).filter(([key]) => key.startsWith('peer/')));
  assert.equal(judge('new', without).kind, 'held');
});
