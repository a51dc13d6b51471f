/** One driver of two fakes: the contract as for one, and what happens when one of them cannot. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ObjectKind, objectKey, objectKinds } from '@vrouter/intent/model/objects.ts';
import type { Change } from '../contract/driver.ts';
import { JoinedDriver } from '../contract/joined.ts';
import * as s from '../contract/samples.ts';
import { driverContract } from '../contract/suite.ts';
import { FakeDriver } from './fake.ts';

const never = new AbortController().signal;
const NAMES: readonly ObjectKind[] = ['dnsZone', 'dnsRecord'];
const others = (Object.keys(objectKinds) as ObjectKind[]).filter((kind) => !NAMES.includes(kind));

/** Knows nothing of what stands beside it, as real shells do not. */
class Shell extends FakeDriver {
  readonly batches: string[][] = [];

  constructor() {
    super([...NAMES, 'link', 'vrf']);
    this.drift(objectKey(s.link()), s.link());
  }

  override capabilities() {
    return { ...super.capabilities(), plane: 'names', kinds: NAMES, linkTypes: [], builtIn: [] };
  }

  override async observe(...[scope, signal]: Parameters<FakeDriver['observe']>) {
    const seen = await super.observe(scope, signal);
    return seen.filter(({ object }) => NAMES.includes(object.kind));
  }

  override apply(...[batch, signal]: Parameters<FakeDriver['apply']>) {
    this.batches.push(batch.map(({ op, key }) => `${op} ${key}`));
    return super.apply(batch, signal);
  }
}

function joined(): { readonly driver: JoinedDriver; readonly plane: FakeDriver; readonly shell: Shell } {
  const plane = new FakeDriver(others);
  const shell = new Shell();
  return { driver: new JoinedDriver(plane, shell), plane, shell };
}

driverContract('joined', async () => ({ driver: joined().driver, dispose: async () => {} }));

test('a step goes to who holds its kind; those that stand together go together, results keep the order', async () => {
  const { driver, shell } = joined();
  const web = s.dnsRecord();
  const steps = [s.link(), s.address(), s.dnsZone(), web, s.natSettings()].map(s.create);
  const results = await driver.apply([...steps, s.remove(web)], never);
  assert.deepEqual(
    results.map(({ key, ok, now }) => [key, ok, now === null]),
    [...steps.map(({ key }) => [key, true, false]), [objectKey(web), true, true]],
  );
  const [zone, record] = [s.dnsZone(), web].map(objectKey);
  assert.deepEqual(shell.batches, [[`create ${zone}`, `create ${record}`], [`delete ${record}`]]);
});

test('what stands on something that could not be made is not tried, across the border and on', async () => {
  const { driver, plane, shell } = joined();
  plane.faults.fail(objectKey(s.link()), 1);
  const steps = [s.link(), s.dnsZone(), s.dnsRecord()].map(s.create);
  const codes = (await driver.apply(steps, never)).map((r) => (r.ok ? 'ok' : `${r.error.code} ${r.now}`));
  assert.deepEqual(codes, ['plane.failed null', 'object.dependency null', 'object.dependency null']);
  assert.deepEqual(shell.batches, []);
  assert.ok(
    (await driver.apply(steps, never)).every(({ ok }) => ok),
    'what failed once is forgotten',
  );
});

test('what something stands on that could not be taken away stays', async () => {
  const { driver, shell } = joined();
  const objects = [s.link(), s.dnsZone()];
  await driver.apply(objects.map(s.create), never);
  shell.faults.fail(objectKey(s.dnsZone()), 1);
  const removals = objects.toReversed().map(s.remove);
  const results = await driver.apply(removals, never);
  assert.deepEqual(
    results.map((r) => (r.ok ? 'ok' : r.error.code)),
    ['plane.failed', 'object.dependency'],
  );
  assert.equal(results[1]!.now?.key, objectKey(s.link()), 'it tells what is true');
  assert.ok((await driver.apply(removals, never)).every(({ ok }) => ok));
});

test('keys are observed where they are, in the order in which they were asked for', async () => {
  const { driver } = joined();
  await driver.apply([s.link(), s.dnsZone()].map(s.create), never);
  const keys = [s.dnsZone(), s.link(), s.dnsRecord()].map(objectKey);
  assert.deepEqual(
    (await driver.observe(keys, never)).map(({ key }) => key),
    keys.slice(0, 2),
  );
  const all = await driver.observe('all', never);
  assert.equal(new Set(all.map(({ key }) => key)).size, all.length);
});

test('news of all are heard; who is away is away with all', async () => {
  const { driver, plane, shell } = joined();
  const stop = new AbortController();
  const heard: Change[] = [];
  const listening = (async () => {
    for await (const change of driver.watch(stop.signal)) if (heard.push(change) === 2) stop.abort();
  })();
  plane.restart('it fell');
  shell.drift(objectKey(s.dnsZone()), null);
  await listening;
  assert.deepEqual(heard.map(({ kind }) => kind).sort(), ['all', 'keys']);
  shell.setAway(true);
  await assert.rejects(driver.observe('all', never), /plane\.failed/);
  await assert.rejects(driver.apply([s.create(s.dnsZone())], never), /plane\.failed/);
});
