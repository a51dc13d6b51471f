/** The loop against the fake plane: what starts a run, what a failure holds back, and what is put right without being asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { FakeDriver } from '@vrouter/drivers/fake/fake.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import { intentKey } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { pino } from 'pino';
import { defaultTuning, Reconciler, type ReconcilerTuning } from './reconciler.ts';

const fast: ReconcilerTuning = { batchSteps: 3, auditMs: 60_000, retryMs: 10, retryMaxMs: 40 };
const key = (text: string): ObjectKey => text as ObjectKey;

function setUp(tuning: ReconcilerTuning = fast) {
  const driver = new FakeDriver();
  const desired = new Desired(testOutside(), driver.capabilities().kinds);
  const drifts: Step[] = [];
  const away: string[] = [];
  const observer = {
    applied: () => {},
    drifted: (steps: readonly Step[]) => void drifts.push(...steps),
    planeAway: (why: { code: string }) => void away.push(why.code),
  };
  const reconciler = new Reconciler(desired, driver, pino({ enabled: false }), observer, (step) => step, tuning);
  const say = (json: unknown): void => {
    const intent = parseIntent(json);
    assert.ok(intent.ok, JSON.stringify(intent));
    desired.put('cli', intent.value);
  };
  return { driver, desired, reconciler, say, drifts, away };
}

const vrf = (name: string) => ({ kind: 'vrf', name });

async function keysOf(driver: FakeDriver): Promise<string[]> {
  const rows = await driver.observe('all', new AbortController().signal);
  return rows.map((row) => row.key).sort();
}

test('what was said before the start is there after it, and saying nothing does nothing', async () => {
  const { driver, reconciler, say } = setUp();
  for (const name of ['a', 'b', 'c', 'd', 'e']) say(vrf(name));
  reconciler.start();
  assert.equal(await reconciler.settled(2000), true);
  assert.deepEqual(await keysOf(driver), ['vrf/a', 'vrf/b', 'vrf/c', 'vrf/d', 'vrf/default', 'vrf/e']);
  const { changes } = driver;
  reconciler.kick();
  await reconciler.settled(2000);
  assert.equal(driver.changes, changes);
  assert.deepEqual(await reconciler.dryRun(), []);
  await reconciler.stop();
});

test('a change is applied alone', async () => {
  const { driver, desired, reconciler, say } = setUp();
  say(vrf('a'));
  reconciler.start();
  await reconciler.settled(2000);
  const { changes } = driver;
  say(vrf('b'));
  desired.remove('cli', intentKey({ kind: 'vrf', name: 'a' }));
  reconciler.kick();
  await reconciler.settled(2000);
  assert.equal(driver.changes, changes + 2);
  assert.deepEqual(await keysOf(driver), ['vrf/b', 'vrf/default']);
  await reconciler.stop();
});

test('one bad object holds back no other, is told of, and is tried again until it works', async () => {
  const { driver, reconciler, say } = setUp();
  driver.faults.fail(key('vrf/bad'), 3);
  for (const name of ['bad', 'fine']) say(vrf(name));
  reconciler.start();
  await reconciler.settled(2000);
  assert.ok((await keysOf(driver)).includes('vrf/fine'));
  assert.deepEqual(
    reconciler.failing().map((failure) => [failure.key, failure.problem.code]),
    [['vrf/bad', 'plane.failed']],
  );
  await delay(200);
  assert.ok((await keysOf(driver)).includes('vrf/bad'));
  assert.deepEqual(reconciler.failing(), []);
  await reconciler.stop();
});

test('a failing object that is no longer wanted is forgotten', async () => {
  const { driver, desired, reconciler, say } = setUp();
  driver.faults.fail(key('vrf/bad'), Number.POSITIVE_INFINITY);
  say(vrf('bad'));
  reconciler.start();
  await reconciler.settled(2000);
  desired.remove('cli', intentKey({ kind: 'vrf', name: 'bad' }));
  reconciler.kick();
  await reconciler.settled(2000);
  await delay(60);
  assert.deepEqual(reconciler.failing(), []);
  await reconciler.stop();
});

test("somebody else's change is undone at once and counted", async () => {
  const { driver, reconciler, say, drifts } = setUp();
  say(vrf('a'));
  reconciler.start();
  await reconciler.settled(2000);
  driver.drift(key('vrf/a'), null);
  await delay(20);
  await reconciler.settled(2000);
  assert.ok((await keysOf(driver)).includes('vrf/a'));
  assert.equal(reconciler.stats.driftRepaired, 1);
  assert.deepEqual(
    drifts.map((step) => `${step.op} ${step.key}`),
    ['create vrf/a'],
  );
  await reconciler.stop();
});

test('a plane that is away is waited for, and filled when it comes back empty', async () => {
  const { driver, reconciler, say, away } = setUp();
  say(vrf('a'));
  reconciler.start();
  await reconciler.settled(2000);
  driver.setAway(true);
  say(vrf('b'));
  reconciler.kick();
  assert.equal(await reconciler.settled(100), false);
  assert.ok(away.includes('plane.failed'));
  driver.setAway(false);
  driver.restart('test');
  assert.equal(await reconciler.settled(3000), true);
  assert.deepEqual(await keysOf(driver), ['vrf/a', 'vrf/b', 'vrf/default']);
  await reconciler.stop();
});

test('the audit finds what watch did not tell', async () => {
  const { driver, reconciler, say } = setUp({ ...defaultTuning, auditMs: 30 });
  say(vrf('a'));
  reconciler.start();
  await reconciler.settled(2000);
  await driver.apply(
    [{ op: 'create', key: key('vrf/x'), object: { kind: 'vrf', name: 'x', tableId: 77 }, effect: 'none' }],
    new AbortController().signal,
  );
  await delay(150);
  assert.deepEqual(await keysOf(driver), ['vrf/a', 'vrf/default']);
  assert.equal(reconciler.stats.driftRepaired, 1);
  await reconciler.stop();
});

test('stop is idempotent and leaves the plane as it is', async () => {
  const { driver, reconciler, say } = setUp();
  say(vrf('a'));
  reconciler.start();
  await reconciler.settled(2000);
  await reconciler.stop();
  await reconciler.stop();
  assert.ok((await keysOf(driver)).includes('vrf/a'));
});

test('a field that is the plane’s own goes out once when it is said anew, also while the plane is away', async () => {
  const { driver, reconciler, say } = setUp();
  const publicKey = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
  const peer = key(`wireguardPeer/wg0/${publicKey}`);
  const sayPeer = (endpoint: string) => say({ kind: 'peer', interface: 'wg0', publicKey, endpoint });
  const endpoint = async (): Promise<unknown> => {
    const [row] = await driver.observe([peer], new AbortController().signal);
    return row?.object.kind === 'wireguardPeer' ? row.object.endpoint : null;
  };
  say({ kind: 'gatewayInterface', name: 'wg0', type: 'wireguard', listenPort: 0 });
  sayPeer('192.0.2.1:1');
  reconciler.start();
  await reconciler.settled(2000);
  driver.learn(peer, { endpoint: '198.51.100.1:9' });
  sayPeer('192.0.2.2:2');
  reconciler.kick();
  await reconciler.settled(2000);
  assert.equal(await endpoint(), '198.51.100.1:9', 'not by itself');
  driver.setAway(true);
  reconciler.sayAnew(peer, 'endpoint');
  await delay(60);
  driver.setAway(false);
  await reconciler.settled(2000);
  assert.equal(await endpoint(), '192.0.2.2:2');
  driver.learn(peer, { endpoint: '198.51.100.2:9' });
  reconciler.kick();
  await reconciler.settled(2000);
  assert.equal(await endpoint(), '198.51.100.2:9', 'once');
  await reconciler.stop();
});

test('what may have gone with something of ours is looked at, and is nobody’s hand', async () => {
  const { driver, reconciler, say, drifts } = setUp();
  say({ kind: 'interface', name: 'br0', type: 'bridge' });
  say({ kind: 'address', interface: 'br0', address: '10.0.0.1/24' });
  say({ kind: 'route', prefix: '10.1.0.0/24', interface: 'br0' });
  reconciler.start();
  await reconciler.settled(2000);
  const route = key('route/default/10.1.0.0/24');
  driver.lose(route);
  driver.doubt(key('link/br0'), 'neighbour');
  await delay(30);
  assert.ok(!(await keysOf(driver)).includes(route), 'that is another kind');
  driver.doubt(key('link/br0'), 'route');
  for (let waited = 0; waited < 2000 && !(await keysOf(driver)).includes(route); waited += 5) await delay(5);
  assert.ok((await keysOf(driver)).includes(route));
  assert.deepEqual(drifts, []);
  assert.equal(reconciler.stats.driftRepaired, 0);
  await reconciler.stop();
});
