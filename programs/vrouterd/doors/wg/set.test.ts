/** A `set=1` against the loop and the fake plane: what is answered when, and what is true then. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { asciiBytes, formatKey } from '@vrouter/core/bytes.ts';
import { problem } from '@vrouter/core/problem.ts';
import { FakeDriver } from '@vrouter/drivers/fake/fake.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import { objectKey, type PlaneObject } from '@vrouter/intent/model/objects.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import { Errno } from '@vrouter/wire/uapi/errno.ts';
import { emptyPeerChange, emptySet, type UapiPeerChange, type UapiSet } from '@vrouter/wire/uapi/operation.ts';
import { UapiParser, type UapiRequest } from '@vrouter/wire/uapi/parser.ts';
import { formatSet } from '@vrouter/wire/uapi/request.testing.ts';
import fc from 'fast-check';
import { pino } from 'pino';
import { readIntent } from '../../agent/sync.ts';
import { BadIntents } from '../../bad-intents.ts';
import { Reconciler } from '../../reconcile/reconciler.ts';
import { openDatabase } from '../../store/database.ts';
import { Store } from '../../store/store.ts';
import { setDevice } from './set.ts';
import { deviceView, peerIntentKey, peerObjectKey, type WgDaemon } from './view.ts';

const publicKey = new Uint8Array(32).fill(9);
const key = peerObjectKey('wg0', formatKey(publicKey));
const change = (more: Partial<UapiPeerChange>): UapiSet => ({
  ...emptySet(),
  peers: [{ ...emptyPeerChange(publicKey), ...more }],
});
const ip = [{ remove: false, prefix: '10.0.0.1/32' }];

async function world(
  t: TestContext,
): Promise<{ daemon: WgDaemon; driver: FakeDriver; peer(): PlaneObject | undefined }> {
  const driver = new FakeDriver();
  const desired = new Desired(testOutside(), driver.capabilities().kinds);
  const [name, type, vrf] = ['wg0', 'wireguard', 'default'] as const;
  desired.put('file', {
    kind: 'gatewayInterface',
    name,
    type,
    vrf,
    listenPort: 1,
    mtu: 1420,
    mssClamp: 'auto',
    sourceCheck: 'off',
  });
  const observer = { applied: () => {}, drifted: () => {}, planeAway: () => {} };
  const reconciler = new Reconciler(desired, driver, pino({ enabled: false }), observer, (step) => step);
  const store = new Store(openDatabase(':memory:'));
  const daemon: WgDaemon = {
    badIntents: new BadIntents(),
    desired,
    store,
    reconciler,
    peersOf: async (link) => {
      const rows = await driver.observe('all', new AbortController().signal);
      return rows.flatMap((row) => {
        const { object } = row;
        return object.kind === 'wireguardPeer' && object.link === link ? [{ ...row, object }] : [];
      });
    },
    move: (link, of) => reconciler.sayAnew(peerObjectKey(link, of), 'endpoint'),
  };
  t.after(async () => {
    await reconciler.stop();
    store[Symbol.dispose]();
  });
  reconciler.start();
  await reconciler.settled(2000);
  return { daemon, driver, peer: () => reconciler.observed().get(key)?.object };
}

test('the answer comes when the plane has it', async (t) => {
  const { daemon, peer } = await world(t);
  assert.equal(await setDevice(daemon, 'wg0', change({ allowedIps: ip, endpoint: '192.0.2.1:5' })), Errno.none);
  const made = peer();
  assert.ok(made?.kind === 'wireguardPeer');
  assert.deepEqual([made.allowedIps, made.endpoint], [['10.0.0.1/32'], '192.0.2.1:5']);
  assert.equal((await deviceView(daemon, 'wg0'))?.peers[0]?.endpoint, null, 'not learnt yet');
  assert.equal(await setDevice(daemon, 'wg0', change({ remove: true })), Errno.none);
  assert.equal(peer(), undefined);
  assert.deepEqual(daemon.store.intents(), []);
});

test('an endpoint said anew reaches the plane past what it has learnt, with the rest of what was said', async (t) => {
  const { daemon, driver, peer } = await world(t);
  await setDevice(daemon, 'wg0', change({ endpoint: '192.0.2.1:5' }));
  driver.learn(key, { endpoint: '198.51.100.7:7', rxBytes: 5 });
  daemon.reconciler.refresh(await driver.observe([key], new AbortController().signal));
  await setDevice(daemon, 'wg0', change({ persistentKeepalive: 9 }));
  assert.equal(endpointOf(peer()), '198.51.100.7:7');
  await setDevice(daemon, 'wg0', change({ endpoint: '192.0.2.1:5', persistentKeepalive: 10 }));
  assert.equal(endpointOf(peer()), '192.0.2.1:5');
  assert.equal(daemon.reconciler.observed().get(key)?.learned.rxBytes, 5);
});

test('what the plane refuses is EIO, stays said, and is tried again', async (t) => {
  const { daemon, driver, peer } = await world(t);
  driver.faults.fail(key, 1);
  assert.equal(await setDevice(daemon, 'wg0', change({ allowedIps: ip })), Errno.io);
  assert.equal(daemon.store.intents().length, 1);
  for (let i = 0; i < 500 && peer() === undefined; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(peer()?.kind, 'wireguardPeer');
});

test('the failure of somebody else’s object is not ours', async (t) => {
  const { daemon, driver } = await world(t);
  const vrf: PlaneObject = { kind: 'vrf', name: 'blue', tableId: 0 };
  driver.faults.fail(objectKey(vrf), 1);
  daemon.desired.put('file', { kind: 'vrf', name: 'blue' });
  assert.equal(await setDevice(daemon, 'wg0', change({ allowedIps: ip })), Errno.none);
  assert.equal(daemon.reconciler.failing().length, 1);
});

test('a plane that is away is ETIMEDOUT; what was said is stored', async (t) => {
  const { daemon, driver } = await world(t);
  driver.setAway(true);
  assert.equal(await setDevice(daemon, 'wg0', change({ allowedIps: ip }), 50), Errno.timedOut);
  assert.equal(daemon.store.intents().length, 1);
  driver.setAway(false);
});

test('what is refused is neither stored nor done; an interface that is not there is EIO', async (t) => {
  const { daemon, driver } = await world(t);
  const { changes } = driver;
  assert.equal(await setDevice(daemon, 'wg0', { ...change({ allowedIps: ip }), listenPort: 7 }), Errno.perm);
  assert.equal(await setDevice(daemon, 'wg7', change({ allowedIps: ip })), Errno.io);
  assert.deepEqual([daemon.store.intents(), driver.changes], [[], changes]);
  assert.equal(await deviceView(daemon, 'wg7'), null);
});

// What nobody owns or forwards (packages/intent/validate/special.ts): a start would refuse it, so the door does.
for (const prefix of ['224.0.0.0/4', 'ff00::/8', '0.0.0.0/8', '::1/128', '::ffff:0:0/96', '127.0.0.1/32'])
  test(`an allowed IP that no peer can have is EINVAL, and nothing of the operation is done: ${prefix}`, async (t) => {
    const { daemon, driver } = await world(t);
    const { changes } = driver;
    const good: UapiPeerChange = { ...emptyPeerChange(new Uint8Array(32).fill(8)), allowedIps: ip };
    const bad = change({ allowedIps: [{ remove: false, prefix }, ...ip] });
    assert.equal(await setDevice(daemon, 'wg0', { ...bad, peers: [good, ...bad.peers] }), Errno.inval);
    assert.deepEqual([daemon.store.intents(), driver.changes], [[], changes]);
    assert.equal(await setDevice(daemon, 'wg0', change({ allowedIps: ip })), Errno.none, 'and the next one is taken');
  });

for (const [how, said, left] of [
  ['removed', change({ remove: true }), []],
  ['replaced by nothing', { ...emptySet(), replacePeers: true }, []],
  ['said anew', change({ allowedIps: ip }), [['10.0.0.1/32']]],
] as const)
  test(`a stored peer that cannot be read, ${how}: it is out of the store, and told of no more`, async (t) => {
    const { daemon } = await world(t);
    const [lost, elsewhere] = ['wg0', 'wg1'].map((link) => peerIntentKey(link, formatKey(publicKey)));
    const row = { kind: 'peer', publicKey: formatKey(publicKey), allowedIps: ['224.0.0.0/4'] };
    const put = [
      { key: lost!, body: { ...row, interface: 'wg0' } },
      { key: elsewhere!, body: { ...row, interface: 'wg1' } },
    ];
    daemon.store.commit('wg', { put, remove: [] }, null);
    for (const bad of [lost!, elsewhere!])
      daemon.badIntents.put({ source: 'wg', key: bad, problem: problem('prefix.invalid', 'multicast') });
    daemon.badIntents.put({ source: 'controller', key: lost!, problem: problem('prefix.invalid', 'multicast') });
    assert.equal(await setDevice(daemon, 'wg0', said), Errno.none);
    const stored = daemon.store.intents().filter((intent) => intent.key === lost);
    assert.deepEqual(
      stored.map(({ body }) => (body as { readonly allowedIps: readonly string[] }).allowedIps),
      left,
    );
    assert.deepEqual(
      [...daemon.badIntents.all()].map((bad) => [bad.source, bad.key]),
      [
        ['wg', elsewhere],
        ['controller', lost],
      ],
      'those of others stay',
    );
  });

test('whatever is acknowledged, a start reads back the same from the store', async (t) => {
  const { daemon } = await world(t);
  const prefix = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([address, bits]) => `${address}/${bits}`),
    fc.constantFrom('224.0.0.0/4', '::1/128', '0.0.0.0/0', '::/0', '::ffff:1.2.3.4/128', '10.0.0.0/8'),
  );
  const key = fc.integer({ min: 0, max: 4 }).map((n) => new Uint8Array(32).fill(n));
  const endpoint = fc.tuple(
    fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((ip) => `[${ip}]`),
    ),
    fc.integer({ min: 0, max: 65_536 }),
  );
  const peer = fc.record({
    publicKey: key,
    remove: fc.boolean(),
    updateOnly: fc.boolean(),
    presharedKey: fc.option(key),
    endpoint: fc.option(endpoint.map(([address, port]) => `${address}:${port}`)),
    persistentKeepalive: fc.option(fc.integer({ min: 0, max: 65_536 })),
    replaceAllowedIps: fc.boolean(),
    allowedIps: fc.array(fc.record({ remove: fc.boolean(), prefix }), { maxLength: 4 }),
  });
  const said = fc.record({ replacePeers: fc.boolean(), peers: fc.array(peer, { maxLength: 4 }) });
  let acknowledged = 0;
  await fc.assert(
    fc.asyncProperty(said, async (more) => {
      const requests: UapiRequest[] = [];
      new UapiParser().push(asciiBytes(formatSet({ ...emptySet(), ...more })), requests);
      const before = daemon.store.intents();
      for (const request of requests) {
        if (request.op !== 'set') continue;
        const errno = await setDevice(daemon, 'wg0', request.set);
        if (errno !== Errno.none) assert.deepEqual(daemon.store.intents(), before);
        else acknowledged++;
      }
      const stored = daemon.store.intents();
      for (const { source, key, body } of stored) {
        assert.deepEqual(readIntent(key, body), { ok: true, value: body });
        assert.deepEqual(daemon.desired.get(source, key), body);
      }
      assert.equal([...daemon.desired.intents('wg')].length, stored.length);
    }),
    { numRuns: 300 },
  );
  assert.ok(acknowledged > 30, `only ${acknowledged} were acknowledged`);
});

function endpointOf(object: PlaneObject | undefined): string | null {
  assert.ok(object?.kind === 'wireguardPeer');
  return object.endpoint;
}
