import assert from 'node:assert/strict';
import test from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { diffAll } from '@vrouter/intent/diff/diff.ts';
import { withDependants } from '@vrouter/intent/diff/replace.ts';
import { type ObjectKey, objectKey, type PlaneObject } from '@vrouter/intent/model/objects.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import fc from 'fast-check';
import type { Change } from '../contract/driver.ts';
import * as s from '../contract/samples.ts';
import { driverContract } from '../contract/suite.ts';
import { FakeDriver } from './fake.ts';

const never = new AbortController().signal;

driverContract('fake', async () => ({ driver: new FakeDriver(), dispose: async () => {} }));
driverContract('fake without VRFs', async () => ({
  driver: new FakeDriver(['link', 'wireguardDevice', 'wireguardPeer', 'address', 'route']),
  dispose: async () => {},
}));

const setUp = async (): Promise<FakeDriver> => {
  const driver = new FakeDriver();
  await driver.apply([s.link(), s.device(), s.peer(), s.address()].map(s.create), never);
  return driver;
};
const peerKey = objectKey(s.peer());
const addressKey = objectKey(s.address());

test('stricter than planes: an allowed IP and a port are refused to a second holder', async () => {
  const driver = await setUp();
  const other = s.peer({ publicKey: s.samplePeer(61), allowedIps: ['10.66.0.2/32'] });
  const busy = [s.link({ name: 'wgc1' }), s.device({ link: 'wgc1', listenPort: 5 })];
  const results = await driver.apply([other, ...busy, s.device({ listenPort: 5 })].map(s.create), never);
  assert.deepEqual(
    results.map((r) => (r.ok ? 'ok' : r.error.code)),
    ['object.exists', 'ok', 'ok', 'object.exists'],
  );
});

test('a fixed field is not changed in place', async () => {
  const driver = new FakeDriver();
  await driver.apply([s.create(s.vrf())], never);
  const step = {
    op: 'update',
    key: objectKey(s.vrf()),
    object: s.vrf('contract', 9),
    before: s.vrf(),
    changed: ['tableId'],
    effect: 'interrupt',
  } as const;
  const [result] = await driver.apply([step], never);
  assert.ok(result !== undefined && !result.ok);
  assert.equal(result.error.code, 'object.exists');
});

test('faults: a key fails so many times, then no more', async () => {
  const driver = await setUp();
  driver.faults.fail(addressKey, 2);
  const attempt = async (): Promise<boolean> => (await driver.apply([s.remove(s.address())], never))[0]!.ok;
  assert.deepEqual([await attempt(), await attempt(), await attempt()], [false, false, true]);
  driver.faults.fail(addressKey, Number.POSITIVE_INFINITY);
  assert.equal((await driver.apply([s.create(s.address())], never))[0]!.ok, false);
  driver.faults.heal(addressKey);
  assert.equal((await driver.apply([s.create(s.address())], never))[0]!.ok, true);
});

test('away: everything rejects; back: the watchers are told to look at all', async () => {
  const driver = await setUp();
  const stop = new AbortController();
  const changes: Change[] = [];
  const watching = (async () => {
    for await (const change of driver.watch(stop.signal)) changes.push(change);
  })();
  driver.setAway(true);
  const isAway = (error: unknown): boolean => error instanceof ProblemError && error.problem.code === 'plane.failed';
  await assert.rejects(driver.observe('all', never), isAway);
  await assert.rejects(driver.apply([], never), isAway);
  driver.setAway(false);
  assert.equal((await driver.observe([peerKey], never)).length, 1);
  driver.restart('kill -9');
  assert.deepEqual(
    (await driver.observe('all', never)).map((o) => o.key),
    ['vrf/default'],
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  await watching;
  assert.deepEqual(changes, [
    { kind: 'all', reason: 'the plane is back' },
    { kind: 'all', reason: 'kill -9' },
  ]);
});

test('drift by hand is seen and mended by a plan', async () => {
  const driver = await setUp();
  const stop = new AbortController();
  const changes = driver.watch(stop.signal)[Symbol.asyncIterator]();
  driver.drift(addressKey, null);
  assert.deepEqual((await changes.next()).value, { kind: 'keys', keys: [addressKey] });
  driver.drift(peerKey, s.peer({ allowedIps: ['10.99.0.0/16'], presharedKey: null }));
  assert.deepEqual((await changes.next()).value, { kind: 'keys', keys: [peerKey] });
  stop.abort();
  assert.equal((await changes.next()).done, true);
  const wanted = [s.link(), s.device(), s.peer(), s.address()];
  const look = async (): Promise<number> => {
    const steps = plan(diffAll(wanted, await driver.observe('all', never), driver.capabilities().builtIn));
    await driver.apply(steps, never);
    return steps.length;
  };
  assert.deepEqual([await look(), await look()], [2, 0]);
});

test('what the plane learns is kept by later changes and is no difference', async () => {
  const driver = await setUp();
  driver.learn(peerKey, { endpoint: '192.0.2.9:1', lastHandshakeUnixMs: 5, rxBytes: 7 });
  const step = {
    op: 'update',
    key: peerKey,
    object: s.peer({ persistentKeepalive: 9 }),
    before: s.peer(),
    changed: ['persistentKeepalive'],
    effect: 'none',
  } as const;
  const [result] = await driver.apply([step], never);
  assert.equal(s.fieldSeen(result!.now, 'endpoint'), '192.0.2.9:1');
  assert.equal(result!.now!.learned.rxBytes, 7);
  const wanted = [s.link(), s.device(), s.peer({ persistentKeepalive: 9 }), s.address()];
  assert.deepEqual(diffAll(wanted, await driver.observe('all', never), ['vrf/default' as ObjectKey]), []);
});

test('any two worlds: the plan leads from one to the other without one refused step', async () => {
  const number = fc.integer({ min: 0, max: 3 });
  const prefix = number.map((n) => `10.0.${n}.0/24`);
  const name = fc.constantFrom('a', 'b');
  const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
  const gateway = fc.record({
    vrf: fc.constantFrom('default', 'x', 'y'),
    port: fc.constantFrom(1, 2),
    peers: fc.array(fc.tuple(number, fc.uniqueArray(prefix)), { maxLength: 4 }),
    addresses: fc.uniqueArray(number, { maxLength: 2 }),
    routes: fc.array(fc.tuple(prefix, name), { maxLength: 4 }),
  });
  const world = fc
    .record({
      tables: fc.uniqueArray(fc.constantFrom(1501, 1502, 1503), { minLength: 2, maxLength: 2 }),
      a: optional(gateway),
      b: optional(gateway),
    })
    .map(({ tables, a, b }) => {
      const objects = new Map<string, PlaneObject>();
      const add = (object: PlaneObject): void => void objects.set(objectKey(object), object);
      add(s.vrf('x', tables[0]));
      add(s.vrf('y', tables[1]));
      const ports = new Set<number>();
      for (const [link, g] of [
        ['a', a],
        ['b', b],
      ] as const) {
        if (g === null) continue;
        add(s.link({ name: link, vrf: g.vrf }));
        const port = ports.has(g.port) ? 3 - g.port : g.port;
        ports.add(port);
        add(s.device({ link, listenPort: port }));
        const taken = new Set<string>();
        for (const [n, ips] of g.peers) {
          if (objects.has(objectKey(s.peer({ link, publicKey: s.samplePeer(60 + n) })))) continue;
          const allowedIps = ips.filter((ip) => !taken.has(ip)).sort();
          for (const ip of allowedIps) taken.add(ip);
          add(s.peer({ link, publicKey: s.samplePeer(60 + n), allowedIps }));
        }
        for (const n of g.addresses) add(s.address(`10.0.${n}.1/24`, link));
        for (const [to, via] of g.routes)
          if ((via === 'a' ? a : b) !== null)
            add(s.route(to, { vrf: g.vrf, via: { type: 'link', link: via, nextHop: null } }));
      }
      return [...objects.values()];
    });
  await fc.assert(
    fc.asyncProperty(fc.array(world, { minLength: 2, maxLength: 4 }), async (states) => {
      const driver = new FakeDriver();
      const { builtIn } = driver.capabilities();
      for (const objects of states) {
        const seen = await driver.observe('all', never);
        const differences = withDependants(diffAll(objects, seen, builtIn), objects, seen);
        const steps = plan(differences);
        assert.deepEqual(plan([...differences].reverse()), steps);
        const failed = (await driver.apply(steps, never)).flatMap((r) => (r.ok ? [] : [`${r.key} ${r.error.message}`]));
        assert.deepEqual(failed, []);
        assert.deepEqual(diffAll(objects, await driver.observe('all', never), builtIn), []);
      }
    }),
    { numRuns: 600 },
  );
});
