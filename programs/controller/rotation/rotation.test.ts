/** Rotations in a real store: what gateways are told, what is noted, and what becomes of peers that are changed meanwhile. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { PEER_SUCCESSOR, type PollRequest } from '@vrouter/api/agent/agent.ts';
import { changePeerRequest, createPeerRequest } from '@vrouter/api/rest/peers.ts';
import { type RotationWithPeers, rotationPeersRequest, startRotationRequest } from '@vrouter/api/rest/rotations.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { PeerIntent, PeerSuccessorIntent } from '@vrouter/intent/model/intents.ts';
import { pino } from 'pino';
import type { Gateway } from '../agents/gateway.ts';
import { changePeer, createPeer, removePeer, showPeer, showPeerNext, wgQuick } from '../desk/peers.ts';
import { createVrouter, revokeGateway, showVrouter } from '../desk/vrouters.ts';
import { lastAudit } from '../store/audit.ts';
import { insertGateway } from '../store/gateways.ts';
import { addSamples, samplesOf } from '../store/history.ts';
import { openRotationOf } from '../store/rotations.ts';
import { place } from '../testing/place.ts';
import { firstPage, openDesk, type TestDesk, tester } from '../testing/store.ts';
import { cancelRotation, forceRotation, listRotations, showRotation, startRotation } from './rotations.ts';
import { RotationWatch } from './watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-rotation-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const log = pino({ level: 'silent' });
const key = (n: number): string => Buffer.alloc(32, n).toString('base64');
const NAMES = ['a', 'b', 'c'];
/** Of the peer at this place: 1, 2, 3; its next key is 101, 102, 103. */
const row = (i: number, more: object = {}) => ({ peer: NAMES[i]!, publicKey: key(101 + i), ...more });

class World {
  readonly desk: TestDesk;
  readonly watch: RotationWatch;
  readonly path: string;

  private constructor(desk: TestDesk, path: string) {
    this.desk = desk;
    this.path = path;
    this.watch = new RotationWatch(desk, log);
  }

  static async open({ features = [PEER_SUCCESSOR] as readonly string[] | null, peers = 3 } = {}): Promise<World> {
    const path = join(folder, `${files++}.db`);
    const world = new World(await openDesk(path), path);
    await createVrouter(world.desk, tester, createVrouterRequest.parse({ name: 'v', networks: ['10.0.0.0/24'] }));
    for (const [i, name] of NAMES.slice(0, peers).entries())
      await createPeer(world.desk, tester, 'v', createPeerRequest.parse({ name, publicKey: key(i + 1) }));
    await world.join();
    world.gateway.features = features;
    return world;
  }

  /** Another controller on the same store, which has the same gateway. */
  async another(): Promise<World> {
    const other = new World(await openDesk(this.path, this.desk.clock), this.path);
    other.gateway.features = this.gateway.features;
    return other;
  }

  async join(): Promise<void> {
    const vrouterId = this.head.row.id;
    const gateway = {
      id: `g${files}`,
      vrouterId,
      wireguardPublicKey: key(250),
      hostname: 'h',
      softwareVersion: '1',
      plane: 'fake',
      registeredUnixMs: 1,
      revokedUnixMs: null,
      lastPollUnixMs: null,
      storedVersion: null,
      appliedVersion: null,
      tokenId: 't',
      csrFingerprint: 'f',
      joinReply: '{}',
      told: null,
    };
    await this.desk.db.transaction().execute((tx) => insertGateway(tx, gateway));
    await this.desk.roster.refresh(vrouterId);
  }

  get head() {
    return this.desk.desired.get('v');
  }

  get gateway(): Gateway {
    return this.desk.roster.of(this.head.row.id)!;
  }

  start(input: object): Promise<{ rotation: RotationWithPeers; version: number }> {
    return startRotation(this.desk, tester, 'v', startRotationRequest.parse({ what: 'key', ...input }));
  }

  async states(id: string): Promise<string> {
    const { rotation } = await showRotation(this.desk, 'v', id);
    const { peers: _, ...summary } = rotation;
    assert.deepEqual((await listRotations(this.desk, 'v', firstPage)).rows, [summary]);
    return `${rotation.peers.map(({ state }) => state).join(' ')}, ${rotation.state}`;
  }

  /** A poll of the gateway, which has everything that was said so far and heard the next keys of these peers. */
  async poll(id: string, ...heard: readonly number[]): Promise<void> {
    const { version, hash } = this.head;
    await this.pollAt(version, hash, id, ...heard);
  }

  async pollAt(storedVersion: number, storedHash: string, id: string, ...heard: readonly number[]): Promise<void> {
    const succeeded = heard.map((n) => ({ interface: 'wg0', publicKey: key(n), rotation: id }));
    await this.watch.heard(this.gateway, this.head, { storedVersion, storedHash, succeeded } as unknown as PollRequest);
  }

  /** Keys of peers and of those that succeed them, as a gateway is told. */
  said(): string[] {
    const number = (text: string): number => Buffer.from(text, 'base64')[0]!;
    const peers = this.head.intents('peer').map((one) => `${number(one.publicKey)}`);
    const next = this.head
      .intents('peerSuccessor')
      .map((one) => `${number(one.publicKey)}>${number(one.nextPublicKey)}${one.open ? '' : ' closed'}`);
    return [...peers, ...next].sort();
  }

  peer(n: number): PeerIntent {
    return this.head.intent('peer', `peer/wg0/${key(n)}`)!;
  }

  successor(n: number): PeerSuccessorIntent | null {
    return this.head.intent('peerSuccessor', `peerSuccessor/wg0/${key(n)}`);
  }

  async close(): Promise<void> {
    await this.desk.db.destroy();
  }
}

function is(code: string, field?: string) {
  return (thrown: unknown): boolean => {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.equal(thrown.problem.code, code, thrown.message);
    if (field !== undefined) assert.equal(thrown.problem.field, field);
    return true;
  };
}

test('offered by pace, switched as the gateway hears them; one version each, and the peers are what they were but for the key', async () => {
  const world = await World.open();
  const before = world.peer(1);
  const heard: string[] = [];
  world.desk.events.subscribe(({ type, subject }) => heard.push(`${type} ${subject}`));
  const { rotation, version } = await world.start({
    what: 'key+psk',
    pace: 2,
    peers: [0, 1, 2].map((i) => row(i, { presharedKey: key(201 + i) })),
  });
  const { id } = rotation;
  assert.deepEqual([await world.states(id), version], ['offered offered waiting, running', world.head.version]);
  assert.deepEqual(world.said(), ['1', '1>101', '2', '2>102', '3']);
  assert.deepEqual(world.successor(1), {
    kind: 'peerSuccessor',
    interface: 'wg0',
    publicKey: key(1),
    nextPublicKey: key(101),
    presharedKey: key(201),
    rotation: id,
    open: true,
  });
  assert.deepEqual((await showVrouter(world.desk, 'v')).rotating, { waiting: 1, offered: 2, stragglers: 0 });
  // The file for wg-quick is had for either key.
  assert.match(wgQuick(await showPeer(world.desk, 'v', 'a')), new RegExp(`# ${key(1).replace('+', '\\+')}`));
  assert.match(wgQuick(await showPeerNext(world.desk, 'v', 'a')), /# [\s\S]*ZWVlZW[\s\S]*# PresharedKey/);
  await assert.rejects(showPeerNext(world.desk, 'v', 'nobody'), is('peer.notFound'));

  await world.poll(id, 2);
  assert.equal(world.head.version, version + 1);
  assert.deepEqual(world.said(), ['1', '102', '1>101', '3', '3>103']);
  await world.poll(id, 2);
  await world.poll(id);
  assert.equal(world.head.version, version + 1);
  await world.poll(id, 1, 3);
  assert.equal(world.head.version, version + 2);
  assert.deepEqual(
    [world.said(), await world.states(id)],
    [['101', '102', '103'], 'switched switched switched, ended'],
  );
  assert.deepEqual(world.peer(101), { ...before, publicKey: key(101), presharedKey: key(201) });
  assert.equal((await showPeer(world.desk, 'v', 'a')).peer.publicKey, key(101));
  assert.deepEqual(heard, [`rotation.started ${id}`, 'peer.rotated b', 'peer.rotated a', 'peer.rotated c']);
  const { peers } = (await showRotation(world.desk, 'v', id)).rotation;
  assert.ok(
    peers.every(({ effect, switchedUnixMs }) => effect === 'none' && switchedUnixMs === world.desk.clock.unixMs),
  );
  // No secret is left of it.
  const left = await world.desk.db.selectFrom('rotationPeers').select('nextPresharedKey').execute();
  assert.ok(left.every((one) => one.nextPresharedKey === null));
  await world.close();
});

test('who does not change in time is a straggler, keeps its old key, and can still change, be forced or let go', async () => {
  const world = await World.open();
  const {
    rotation: { id },
  } = await world.start({ pace: 1, deadlineSeconds: 60, peers: [0, 1, 2].map((i) => row(i)) });
  await world.watch.tick();
  assert.equal(await world.states(id), 'offered waiting waiting, running');
  for (const wanted of [
    'straggler offered waiting, running',
    'straggler straggler offered, running',
    'straggler straggler straggler, straggling',
  ]) {
    world.desk.clock.unixMs += 60_000;
    const { version } = world.head;
    await world.watch.tick();
    assert.equal(await world.states(id), wanted);
    await world.watch.tick();
    assert.ok(world.head.version <= version + 1, 'nothing is made twice');
  }
  assert.deepEqual(world.said(), ['1', '1>101', '2', '2>102', '3', '3>103']);
  assert.deepEqual((await showVrouter(world.desk, 'v')).rotating, { waiting: 0, offered: 0, stragglers: 3 });
  await world.poll(id, 1);
  const { rotation } = await forceRotation(world.desk, tester, 'v', id, rotationPeersRequest.parse({ peers: ['b'] }));
  assert.deepEqual(
    [rotation.peers[0]!.effect, rotation.peers[1]!.effect, rotation.peers[2]!.effect],
    ['none', 'interrupt', null],
  );
  assert.deepEqual(world.said(), ['101', '102', '3', '3>103']);
  await cancelRotation(world.desk, tester, 'v', id, {});
  assert.deepEqual(
    [world.said(), await world.states(id)],
    [['101', '102', '3', '3>103 closed'], 'switched switched withdrawing, running'],
  );
  await world.poll(id);
  assert.deepEqual([world.said(), await world.states(id)], [['101', '102', '3'], 'switched switched cancelled, ended']);
  assert.deepEqual((await showVrouter(world.desk, 'v')).rotating, { waiting: 0, offered: 0, stragglers: 0 });
  await world.close();
});

test('cut over at the deadline, if that was asked for: once', async () => {
  const world = await World.open();
  const {
    rotation: { id },
  } = await world.start({ deadlineSeconds: 60, atDeadline: 'cutOver', peers: [row(0), row(1)] });
  world.desk.clock.unixMs += 59_999;
  await world.watch.tick();
  assert.equal(await world.states(id), 'offered offered, running');
  world.desk.clock.unixMs += 1;
  await Promise.all([world.watch.tick(), world.watch.tick(), world.poll(id, 1)]);
  await world.watch.tick();
  assert.deepEqual([world.said(), await world.states(id)], [['101', '102', '3'], 'switched switched, ended']);
  const audit = await lastAudit(world.desk.db, 100);
  const mine = audit.filter(({ action }) => action.startsWith('peer.cutOver') || action === 'peer.rotate');
  assert.equal(mine.length, 2);
  await world.close();
});

test('cancelled, but the gateway had heard it before: the device has changed, and stays in', async () => {
  const world = await World.open();
  const {
    rotation: { id },
  } = await world.start({ peers: [row(0), row(1)] });
  const { version, hash } = world.head;
  await cancelRotation(world.desk, tester, 'v', id, {});
  // A poll from before it knew says nothing of who was not heard until it did.
  await world.pollAt(version, hash, id);
  assert.deepEqual(world.said(), ['1', '1>101 closed', '2', '2>102 closed', '3']);
  // Nor does one of a state that is not ours.
  await world.pollAt(world.head.version, 'ab'.repeat(32), id);
  assert.equal(await world.states(id), 'withdrawing withdrawing, running');
  await world.poll(id, 1);
  assert.deepEqual([world.said(), await world.states(id)], [['101', '2', '3'], 'switched cancelled, ended']);
  await world.close();
});

test('only the preshared key: the old one is good again after the deadline', async () => {
  const world = await World.open();
  const rows = [0, 1].map((i) => ({ peer: NAMES[i]!, presharedKey: key(201 + i) }));
  const {
    rotation: { id },
  } = await world.start({ what: 'psk', deadlineSeconds: 60, peers: rows });
  assert.deepEqual(world.said(), ['1', '1>1', '2', '2>2', '3']);
  assert.equal(world.peer(1).presharedKey, null);
  await world.poll(id, 1);
  assert.deepEqual([world.said(), world.peer(1).presharedKey], [['1', '2', '2>2', '3'], key(201)]);
  world.desk.clock.unixMs += 60_000;
  await world.watch.tick();
  assert.deepEqual(
    [world.said(), await world.states(id)],
    [['1', '2', '2>2 closed', '3'], 'switched withdrawing, running'],
  );
  await world.poll(id);
  assert.deepEqual([world.said(), await world.states(id)], [['1', '2', '3'], 'switched straggler, straggling']);
  await forceRotation(world.desk, tester, 'v', id, {});
  assert.deepEqual([world.peer(2).presharedKey, await world.states(id)], [key(202), 'switched switched, ended']);
  await world.close();
});

test('a gateway that cannot is told nothing; forced, or in its time if asked, the change is a cut', async () => {
  for (const features of [[], null]) {
    const world = await World.open({ features });
    const {
      rotation: { id },
    } = await world.start({ deadlineSeconds: 60, peers: [row(0)] });
    await world.watch.tick();
    world.desk.clock.unixMs += 60_000;
    await world.watch.tick();
    assert.deepEqual(world.said(), ['1', '2', '3']);
    const { rotation } = await showRotation(world.desk, 'v', id);
    assert.equal(rotation.peers[0]!.state, features === null ? 'waiting' : 'straggler');
    assert.match(rotation.peers[0]!.reason!, features === null ? /not been heard/ : /interrupts/);
    const forced = await forceRotation(world.desk, tester, 'v', id, {});
    assert.deepEqual([world.said(), forced.rotation.peers[0]!.effect], [['101', '2', '3'], 'interrupt']);
    await world.close();
  }
  const world = await World.open({ features: [] });
  await world.start({ deadlineSeconds: 60, atDeadline: 'cutOver', peers: [row(0)] });
  world.desk.clock.unixMs += 60_000;
  await world.watch.tick();
  assert.deepEqual(world.said(), ['101', '2', '3']);
  await world.close();
});

test('no gateway: nobody can have changed, so what is taken back is gone at once', async () => {
  const world = await World.open();
  const {
    rotation: { id },
  } = await world.start({ peers: [row(0), row(1)] });
  await cancelRotation(world.desk, tester, 'v', id, { peers: ['a'] });
  assert.equal(await world.states(id), 'withdrawing offered, running');
  await revokeGateway(world.desk, tester, 'v');
  await world.watch.tick();
  assert.equal(await world.states(id), 'cancelled offered, running');
  await cancelRotation(world.desk, tester, 'v', id, {});
  assert.deepEqual([world.said(), await world.states(id)], [['1', '2', '3'], 'cancelled cancelled, ended']);
  await world.close();
});

test('peers that are removed, renamed, or given another key meanwhile', async () => {
  const world = await World.open();
  const set = (which: string, input: object) =>
    changePeer(world.desk, tester, 'v', which, changePeerRequest.parse(input));
  const {
    rotation: { id },
  } = await world.start({ pace: 2, peers: [0, 1, 2].map((i) => row(i)) });
  await set('b', { name: 'bee' });
  // A next key without a preshared key of its own has the peer's.
  await set('bee', { presharedKey: key(9) });
  assert.equal(world.successor(2)!.presharedKey, key(9));
  await removePeer(world.desk, tester, 'v', 'a');
  assert.deepEqual(world.said(), ['2', '2>102', '3', '3>103'], "its place is another's");
  const { peer, effect } = await set('c', { publicKey: key(77) });
  assert.deepEqual([peer.publicKey, effect], [key(77), 'interrupt']);
  assert.deepEqual(world.said(), ['2', '2>102', '77']);
  await world.poll(id, 2, 3);
  assert.deepEqual([world.said(), world.peer(102).name, world.peer(102).presharedKey], [['102', '77'], 'bee', key(9)]);
  const { rotation } = await showRotation(world.desk, 'v', id);
  assert.deepEqual(
    rotation.peers.map(({ peer: name, state, reason }) => [name, state, reason]),
    [
      ['a', 'failed', 'the peer was removed'],
      ['bee', 'switched', null],
      ['c', 'failed', 'its key was changed by hand'],
    ],
  );
  await world.close();
});

test('another key in place: one version, everything else stays, and no key is of two', async () => {
  const world = await World.open();
  const set = (which: string, input: object) =>
    changePeer(world.desk, tester, 'v', which, changePeerRequest.parse(input));
  const { version } = world.head;
  const before = (await showPeer(world.desk, 'v', 'a')).peer;
  const changed = await set('a', { publicKey: key(50) });
  assert.deepEqual([changed.version, changed.effect], [version + 1, 'interrupt']);
  const { etag: _, ...rest } = changed.peer;
  const { etag: __, ...was } = before;
  assert.deepEqual(rest, { ...was, publicKey: key(50) });
  assert.equal((await set('a', { publicKey: key(50) })).effect, 'none');
  assert.equal((await set('a', { presharedKey: key(9) })).effect, 'rehandshake');
  await assert.rejects(set('a', { publicKey: key(2) }), is('peer.exists', 'publicKey'));
  await assert.rejects(set('a', { publicKey: key(250) }), is('peer.exists', 'publicKey'));
  await assert.rejects(set('a', { publicKey: 'short' }), is('key.invalid', 'publicKey'));
  await world.start({ peers: [row(1)] });
  await assert.rejects(set('a', { publicKey: key(102) }), is('peer.exists', 'publicKey'));
  const add = createPeerRequest.parse({ name: 'd', publicKey: key(102) });
  await assert.rejects(createPeer(world.desk, tester, 'v', add), is('peer.exists', 'publicKey'));
  await world.close();
});

test('what no rotation begins with; nothing is half done', async () => {
  const world = await World.open();
  await world.start({ peers: [row(2)] });
  const { version } = world.head;
  const wrong: readonly [object, string, string][] = [
    [{ peers: [row(0), { peer: 'nobody', publicKey: key(5) }] }, 'peer.notFound', 'peer'],
    [{ peers: [{ peer: 'a' }] }, 'input.invalid', 'peers[0].publicKey'],
    [{ peers: [row(0, { presharedKey: key(9) })] }, 'input.invalid', 'peers[0].presharedKey'],
    [{ what: 'psk', peers: [row(0, { presharedKey: key(9) })] }, 'input.invalid', 'peers[0].publicKey'],
    [{ what: 'psk', peers: [{ peer: 'a' }] }, 'input.invalid', 'peers[0].presharedKey'],
    [{ peers: [row(0, { publicKey: 'short' })] }, 'key.invalid', 'peers[0].publicKey'],
    [{ peers: [row(0, { publicKey: key(2) })] }, 'peer.exists', 'peers[0].publicKey'],
    [{ peers: [row(0, { publicKey: key(1) })] }, 'peer.exists', 'peers[0].publicKey'],
    [{ peers: [row(0, { publicKey: key(250) })] }, 'peer.exists', 'peers[0].publicKey'],
    [{ peers: [row(0, { publicKey: key(103) })] }, 'peer.exists', 'peers[0].publicKey'],
    [{ peers: [row(0), row(1, { publicKey: key(101) })] }, 'input.invalid', 'peers[1].peer'],
    [{ peers: [row(0), { peer: key(1), publicKey: key(5) }] }, 'input.invalid', 'peers[1].peer'],
    [{ peers: [row(0), row(2, { publicKey: key(7) })] }, 'rotation.open', 'peers[1].peer'],
  ];
  for (const [input, code, field] of wrong)
    await assert.rejects(world.start(input), is(code, field), JSON.stringify(input));
  assert.deepEqual([world.head.version, world.said()], [version, ['1', '2', '3', '3>103']]);
  assert.equal((await listRotations(world.desk, 'v', firstPage)).rows.length, 1);
  await assert.rejects(showRotation(world.desk, 'v', 'r0'), is('rotation.notFound'));
  await world.close();
});

test('what has passed goes along with the peer', async () => {
  const world = await World.open();
  const { id: vrouterId } = world.head.row;
  const sample = { vrouterId, stepMs: 300_000, rxPackets: 1, txPackets: 1, txBytes: 1, drops: 0 };
  await world.desk.db.transaction().execute((tx) =>
    addSamples(tx, [
      { ...sample, series: key(1), atUnixMs: 300_000, rxBytes: 5 },
      { ...sample, series: key(1), atUnixMs: 600_000, rxBytes: 7 },
      // The key was a peer's once.
      { ...sample, series: key(101), atUnixMs: 300_000, rxBytes: 1 },
    ]),
  );
  const {
    rotation: { id },
  } = await world.start({ peers: [row(0)] });
  await world.poll(id, 1);
  const of = async (n: number) =>
    (await samplesOf(world.desk.db, { vrouterId, series: key(n), stepMs: 300_000 }, 0, 1e12, 10)).map(
      (one) => one.rxBytes,
    );
  assert.deepEqual([await of(1), await of(101)], [[], [6, 7]]);
  await world.close();
});

test('a start anew goes on where it was; the preshared keys of those who wait are there, and of nobody else', async () => {
  const world = await World.open();
  const rows = [0, 1].map((i) => row(i, { presharedKey: key(201 + i) }));
  const {
    rotation: { id },
  } = await world.start({ what: 'key+psk', pace: 1, peers: rows });
  await world.desk.db.destroy();
  const again = await world.another();
  assert.equal(await again.states(id), 'offered waiting, running');
  await again.poll(id, 1);
  assert.deepEqual(again.said(), ['101', '2', '2>102', '3']);
  assert.equal(again.successor(2)!.presharedKey, key(202));
  assert.equal(await openRotationOf(again.desk.db, again.head.row.id, key(1)), undefined);
  await again.close();
});

// To SQLite one controller alone writes.
if (place.postgres !== null)
  test('several controllers on one store: each step is made once, whoever hears of it', async () => {
    const world = await World.open();
    const other = await world.another();
    const {
      rotation: { id },
    } = await world.start({ pace: 1, deadlineSeconds: 60, peers: [0, 1, 2].map((i) => row(i)) });
    await other.desk.desired.refreshAll();
    assert.equal(await other.states(id), 'offered waiting waiting, running');
    await Promise.all([world.poll(id, 1), other.poll(id, 1), world.watch.tick(), other.watch.tick()]);
    await Promise.all([world.desk.desired.refreshAll(), other.desk.desired.refreshAll()]);
    assert.deepEqual(world.said(), ['101', '2', '2>102', '3']);
    assert.deepEqual(other.said(), world.said());
    world.desk.clock.unixMs += 60_000;
    await Promise.all([world.watch.tick(), other.watch.tick()]);
    await Promise.all([world.desk.desired.refreshAll(), other.desk.desired.refreshAll()]);
    assert.equal(await world.states(id), 'switched straggler offered, running');
    await Promise.all([
      forceRotation(world.desk, tester, 'v', id, {}),
      cancelRotation(other.desk, tester, 'v', id, {}),
    ]);
    await Promise.all([world.desk.desired.refreshAll(), other.desk.desired.refreshAll()]);
    assert.deepEqual([other.said(), other.head.hash], [world.said(), world.head.hash]);
    const audit = await lastAudit(world.desk.db, 100);
    assert.equal(audit.filter(({ action }) => action === 'peer.rotate').length, 1);
    await other.close();
    await world.close();
  });
