/** A peer's key and the one that takes its place: which objects there are, who has the allowed IPs, and what a version changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffAll } from '../diff/diff.ts';
import { Desired } from '../index/desired.ts';
import { type Intent, successorKey } from '../model/intents.ts';
import { objectKey, type PlaneObject } from '../model/objects.ts';
import { plan } from '../plan/plan.ts';
import { planeKinds, testKey, testOutside } from '../testing/outside.ts';
import { parseIntent } from '../validate/intent.ts';

const OLD = testKey(1);
const NEW = testKey(2);
const PSK = testKey(3);
const ALLOWED = ['10.0.0.2/32', '192.168.5.0/24'];

function said(json: object): Intent {
  const parsed = parseIntent(json);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}
const wg0 = said({ kind: 'gatewayInterface', name: 'wg0', listenPort: 1 });
const peer = (publicKey: string, more: object = {}): Intent =>
  said({ kind: 'peer', interface: 'wg0', name: 'a', publicKey, allowedIps: ALLOWED, ...more });
const next = (more: object = {}): Intent =>
  said({
    kind: 'peerSuccessor',
    interface: 'wg0',
    publicKey: OLD,
    nextPublicKey: NEW,
    presharedKey: PSK,
    rotation: 'r1',
    ...more,
  });

class World {
  readonly heard = new Set<string>();
  readonly desired = new Desired(
    { ...testOutside(), hasSucceeded: (link, key, rotation) => this.heard.has(`${link} ${key} ${rotation}`) },
    planeKinds,
  );

  constructor(...intents: readonly Intent[]) {
    for (const intent of intents) this.desired.put('controller', intent);
  }

  hear(rotation: string): void {
    this.heard.add(`wg0 ${OLD} ${rotation}`);
    this.desired.changed(`succession/wg0/${OLD}`);
  }

  /** By key: allowed IPs and preshared key. */
  peers(): Record<string, [readonly string[], string | null]> {
    const found: Record<string, [readonly string[], string | null]> = {};
    for (const object of this.desired.all())
      if (object.kind === 'wireguardPeer')
        found[object.publicKey] = [object.allowedIps, object.presharedKey?.fingerprint ?? null];
    return found;
  }

  routes(): number {
    return [...this.desired.all()].filter(({ kind }) => kind === 'route').length;
  }
}

test('both keys are there, and the allowed IPs move with the one that is heard', () => {
  const world = new World(wg0, peer(OLD), next());
  assert.deepEqual(world.peers(), { [OLD]: [ALLOWED, null], [NEW]: [[], `fp:${PSK}`] });
  world.desired.takeDirty();
  const before = [...world.desired.all()];
  world.hear('another');
  assert.equal(world.desired.takeDirty().size, 0);
  world.hear('r1');
  assert.deepEqual(world.peers(), { [NEW]: [ALLOWED, `fp:${PSK}`] });
  assert.equal(world.routes(), 2);
  // The old key goes first, since what it has the new one cannot have; the routes stay where they are.
  const steps = plan(diffAll(world.desired.all(), observed(before), []));
  assert.deepEqual(
    steps.map(({ op, key }) => `${op} ${key}`),
    [`delete wireguardPeer/wg0/${OLD}`, `update wireguardPeer/wg0/${NEW}`],
  );
});

test('the version that makes the next key the peer own changes nothing on the plane', () => {
  const world = new World(wg0, peer(OLD), next());
  world.hear('r1');
  world.desired.takeDirty();
  world.desired.remove('controller', successorKey('wg0', OLD));
  world.desired.remove('controller', `peer/wg0/${OLD}` as never);
  world.desired.put('controller', peer(NEW, { presharedKey: PSK }));
  assert.deepEqual([...world.desired.takeDirty()], []);
  assert.deepEqual(world.desired.problems(), []);
  assert.deepEqual(world.peers(), { [NEW]: [ALLOWED, `fp:${PSK}`] });
});

test('one that is taken back goes, unless it was heard before', () => {
  const waiting = new World(wg0, peer(OLD), next());
  waiting.desired.put('controller', next({ open: false }));
  assert.deepEqual(waiting.peers(), { [OLD]: [ALLOWED, null] });
  const taken = new World(wg0, peer(OLD), next());
  taken.hear('r1');
  taken.desired.put('controller', next({ open: false }));
  assert.deepEqual(taken.peers(), { [NEW]: [ALLOWED, `fp:${PSK}`] });
  taken.desired.remove('controller', successorKey('wg0', OLD));
  assert.deepEqual(taken.peers(), { [OLD]: [ALLOWED, null] });
});

test('only the preshared key: the peer has the new one at once, and the old one again when it is taken back', () => {
  const only = { nextPublicKey: OLD };
  const world = new World(wg0, peer(OLD, { presharedKey: testKey(9) }), next(only));
  assert.deepEqual(world.peers(), { [OLD]: [ALLOWED, `fp:${PSK}`] });
  world.desired.put('controller', next({ ...only, open: false }));
  assert.deepEqual(world.peers(), { [OLD]: [ALLOWED, `fp:${testKey(9)}`] });
});

test('what is said of the peer meanwhile holds for both keys; a peer that goes takes both along', () => {
  const world = new World(wg0, peer(OLD), next());
  world.desired.put('controller', peer(OLD, { allowedIps: ['10.0.0.2/32'], persistentKeepalive: 25 }));
  assert.deepEqual(world.peers(), { [OLD]: [['10.0.0.2/32'], null], [NEW]: [[], `fp:${PSK}`] });
  assert.deepEqual(
    [...world.desired.all()].flatMap((o) => (o.kind === 'wireguardPeer' ? [o.persistentKeepalive] : [])),
    [25, 25],
  );
  world.desired.remove('controller', `peer/wg0/${OLD}` as never);
  assert.deepEqual([world.peers(), world.routes()], [{}, 0]);
});

test('a succession of a peer that is not there waits without a word, and no word of a fact is taken', () => {
  const world = new World(wg0, next());
  assert.deepEqual([world.peers(), world.desired.problems()], [{}, []]);
  const deaf = new Desired(testOutside(), planeKinds);
  for (const intent of [wg0, peer(OLD), next()]) deaf.put('controller', intent);
  assert.equal([...deaf.all()].filter(({ kind }) => kind === 'wireguardPeer').length, 2);
});

function observed(objects: readonly PlaneObject[]) {
  return objects.map((object) => ({ key: objectKey(object), object, learned: {} }));
}
