/** The eye on links, against the loop and the fake plane: what is noticed between audits, and what is tried again for it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Change } from '@vrouter/drivers/contract/driver.ts';
import { FakeDriver } from '@vrouter/drivers/fake/fake.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import type { LinkObject, ObjectKey } from '@vrouter/intent/model/objects.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { pino } from 'pino';
import { Links, machineDevices } from './links.ts';
import { Reconciler } from './reconciler.ts';

const lan = 'link/lan' as ObjectKey;

/** As the engine is: it says nothing of what has happened to its devices. */
class SilentDriver extends FakeDriver {
  override async *watch(signal: AbortSignal): AsyncGenerator<Change> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }
}

async function world(t: TestContext) {
  const driver = new SilentDriver();
  const desired = new Desired(testOutside(), driver.capabilities().kinds);
  const intent = parseIntent({ kind: 'port', name: 'lan', device: 'eth1' });
  assert.ok(intent.ok);
  desired.put('file', intent.value);
  const drifts: string[] = [];
  const observer = {
    applied: () => {},
    drifted: (steps: readonly { readonly key: string }[]) => void drifts.push(...steps.map((step) => step.key)),
    planeAway: () => {},
  };
  // Nothing but the look would put anything right: the audit and a second try are an hour away.
  const tuning = { batchSteps: 10, auditMs: 3_600_000, retryMs: 3_600_000, retryMaxMs: 3_600_000 };
  const reconciler = new Reconciler(desired, driver, pino({ enabled: false }), observer, (step) => step, tuning);
  const machine = new Set(['lo', 'eth1']);
  const links = new Links(desired, driver, reconciler, () => machine);
  t.after(() => reconciler.stop());
  const there = async (): Promise<LinkObject | undefined> => {
    const [row] = await driver.observe([lan], new AbortController().signal);
    return row?.object.kind === 'link' ? row.object : undefined;
  };
  return { driver, reconciler, links, machine, there, drifts };
}

test('what has changed is put right and told; what has not changes nothing', async (t) => {
  const { driver, reconciler, links, there, drifts } = await world(t);
  reconciler.start();
  await reconciler.settled(2000);
  const good = await there();
  const { changes } = driver;
  await links.look();
  await reconciler.settled(2000);
  assert.equal(driver.changes, changes);
  for (const now of [{ ...good!, adminUp: false }, null]) {
    driver.drift(lan, now);
    await links.look();
    await reconciler.settled(2000);
    assert.deepEqual(await there(), good);
  }
  assert.deepEqual(drifts, [lan, lan]);
});

test('what the plane learns of a link is known at once', async (t) => {
  const { driver, reconciler, links } = await world(t);
  reconciler.start();
  await reconciler.settled(2000);
  for (const operUp of [true, false]) {
    driver.learn(lan, { operUp });
    const rows = await links.look();
    assert.deepEqual([rows?.[0]?.learned.operUp, reconciler.observed().get(lan)?.learned.operUp], [operUp, operUp]);
  }
  driver.setAway(true);
  assert.equal(await links.look(), null);
  driver.setAway(false);
});

test('a link that failed without its device is tried when the device is there, and not before', async (t) => {
  const { driver, reconciler, links, machine, there } = await world(t);
  driver.faults.fail(lan, 1);
  machine.delete('eth1');
  reconciler.start();
  await reconciler.settled(2000);
  const look = async (): Promise<boolean> => {
    await links.look();
    await reconciler.settled(2000);
    return (await there()) !== undefined;
  };
  assert.equal(await look(), false);
  assert.equal(reconciler.failing().length, 1);
  machine.add('eth1');
  assert.equal(await look(), true);
  assert.deepEqual(reconciler.failing(), []);
});

test('one that failed with its device there keeps its backoff', async (t) => {
  const { driver, reconciler, links, there } = await world(t);
  driver.faults.fail(lan, 1);
  reconciler.start();
  await reconciler.settled(2000);
  await links.look();
  await reconciler.settled(2000);
  assert.equal(await there(), undefined);
});

test('the machine has a loopback', { skip: process.platform !== 'linux' }, () => {
  assert.ok(machineDevices().has('lo'));
});
