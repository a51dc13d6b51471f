/** What the plane, the store or somebody else does not let be: the call fails, and what was before is there again (5, 27); GetHealth tells (26). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type ObjectKey, objectKey } from '@vrouter/intent/model/objects.ts';
import { MemoryIntents } from './memory.testing.ts';
import { Client, openWorld, type StoredWorld } from './world.testing.ts';

const never = new AbortController().signal;

async function world(t: TestContext): Promise<{ client: Client; it: StoredWorld; plane: () => Promise<string[]> }> {
  const it = await openWorld();
  t.after(() => it.stop());
  const plane = async (): Promise<string[]> => {
    const rows = await it.driver.observe('all', never);
    return rows.map(({ object }) => JSON.stringify(object)).sort();
  };
  return { client: new Client(it.intents), it, plane };
}

async function populated(t: TestContext) {
  const all = await world(t);
  for (const answer of [
    await all.client.createVlan(100, { mtu: 1400 }),
    await all.client.configureDns(100, { web: '10.0.100.2' }),
    await all.client.addPort('tcp', 80, '10.0.100.2:80', 100),
  ])
    assert.equal(answer.error, '');
  return all;
}

test('9: the plane has nothing of a VLAN that was deleted', async (t) => {
  const { client, plane } = await world(t);
  const before = await plane();
  await client.createVlan(100);
  await client.configureDns(100, { web: '10.0.100.2' });
  await client.addPort('tcp', 80, '10.0.100.2:80');
  await client.configureNat(100, '10.50.0.0/16');
  assert.ok((await plane()).length > before.length + 8);
  await client.deleteVlan(100);
  assert.deepEqual(await plane(), before);
});

test('5: what the plane refuses leaves nothing, and the reason is told', async (t) => {
  const { client, it, plane } = await world(t);
  const before = await plane();
  const why = problem('plane.failed', 'the MTU of eth0.100 would be 9000, and that of eth0 is 1500');
  it.driver.faults.fail('link/eth0.100' as ObjectKey, 1, why);
  const { success, error, interfaceName } = await client.createVlan(100, { mtu: 9000 });
  assert.deepEqual([success, interfaceName], [false, '']);
  assert.match(error, /link\/eth0.100: the MTU of eth0.100 would be 9000/);
  assert.deepEqual(await plane(), before);
  assert.deepEqual([it.intents.said(), it.store.intents()], [[], []]);
  assert.equal(client.calls.health().healthy, true);
});

test('27: a failure at each object of a new VLAN leaves what was before', async (t) => {
  const { client, it, plane } = await populated(t);
  const before = [await plane(), it.store.intents()];
  await client.createVlan(101);
  const keys = it.intents
    .said()
    .filter(({ intent }) => intent.kind === 'network' && intent.vlanId === 101)
    .flatMap(() => it.desired.objectsOf('router', 'network/vlan-101' as never))
    .filter((key) => !key.startsWith('sysctl/*/') && !key.startsWith('dns'));
  assert.ok(keys.length >= 5, keys.join(' '));
  await client.deleteVlan(101);
  for (const key of keys) {
    it.driver.faults.fail(key, 1);
    const { success, error } = await client.createVlan(101);
    assert.equal(success, false, key);
    assert.ok(error.includes(key), `${key}: ${error}`);
    assert.deepEqual([await plane(), it.store.intents()], before, key);
  }
});

test('27: a failure at each object that a change or a deletion touches leaves what was before', async (t) => {
  const { client, it, plane } = await populated(t);
  const before = await plane();
  const rows = await it.driver.observe('all', never);
  const own = rows.map(({ object }) => objectKey(object)).filter((key) => key !== 'vrf/default');
  for (const key of own) {
    it.driver.faults.fail(key, 1);
    const { success, error } = await client.deleteVlan(100);
    assert.deepEqual([success, error.includes(key)], [false, true], `${key}: ${error}`);
    it.driver.faults.heal(key);
    assert.deepEqual(await plane(), before, key);
  }
  const changed = ['link/eth0.100', 'address/eth0.100/10.9.0.1/16', 'route/default/10.9.0.0/16'] as ObjectKey[];
  for (const key of changed) {
    it.driver.faults.fail(key, 1);
    const { success } = await client.createVlan(100, { subnet: '10.9.0.0/16', gateway: '10.9.0.1', mtu: 1300 });
    assert.equal(success, false, key);
    it.driver.faults.heal(key);
    assert.deepEqual(await plane(), before, key);
  }
  for (const [key, step] of [
    ['dnsRecord/vlan-100/db/A/10.0.100.3', () => client.configureDns(100, { db: '10.0.100.3' })],
    ['natRule/port/default/*/udp/53', () => client.addPort('udp', 53, '10.0.100.2:53', 100)],
    ['natRule/masquerade/default/10.50.0.0/16', () => client.configureNat(100, '10.50.0.0/16')],
    ['natRule/port/default/*/tcp/80', () => client.removePort('tcp', 80)],
    ['natRule/masquerade/default/10.0.100.0/24', () => client.removeNat(100, '10.0.100.0/24')],
  ] as const) {
    it.driver.faults.fail(key as ObjectKey, 1);
    const { success, error } = await step();
    assert.deepEqual([success, error.includes(key)], [false, true], `${key}: ${error}`);
    assert.deepEqual(await plane(), before, key);
  }
});

test('a resolver that cannot listen does not keep a VLAN away, but names; health says so', async (t) => {
  const { client, it } = await world(t);
  const why = problem('port.inUse', 'port 53 of 10.0.100.1 is in use');
  it.driver.faults.fail('dnsZone/vlan-100' as ObjectKey, Number.POSITIVE_INFINITY, why);
  assert.equal((await client.createVlan(100)).error, '');
  const { healthy, status, activeVlans } = client.calls.health();
  assert.deepEqual([healthy, activeVlans], [false, 1]);
  assert.match(status, /dnsZone\/vlan-100: port 53 of 10.0.100.1 is in use \(port.inUse\)/);
  assert.match((await client.configureDns(100, { web: '10.0.100.2' })).error, /port 53/);
  it.driver.faults.heal('dnsZone/vlan-100' as ObjectKey);
  for (let turn = 0; !client.calls.health().healthy && turn < 200; turn++) await sleep(10);
  assert.equal(client.calls.health().status, 'running');
  assert.equal((await client.configureDns(100, { web: '10.0.100.2' })).error, '');
});

test('26: forwarding that somebody else turned off and that cannot be turned on again is told', async (t) => {
  const { client, it } = await populated(t);
  const key = 'sysctl/*/net.ipv4.ip_forward' as ObjectKey;
  it.driver.faults.fail(key, Number.POSITIVE_INFINITY, problem('plane.failed', 'the file is read-only'));
  it.driver.drift(key, { kind: 'sysctl', name: 'net.ipv4.ip_forward', link: null, value: '0' });
  for (let turn = 0; client.calls.health().healthy && turn < 200; turn++) await sleep(10);
  assert.match(client.calls.health().status, /ip_forward: the file is read-only/);
});

test('a plane that is away: nothing new is kept, health says so, and what was said comes back with it', async (t) => {
  const { it } = await populated(t);
  const client = new Client(it.intents, () => 'eth0', 100);
  it.driver.setAway(true);
  assert.match(
    (await client.createVlan(101)).error,
    /has not answered in time \(the fake plane is away\); what was before/,
  );
  assert.match((await client.deleteVlan(100)).error, /has not answered/);
  assert.match(client.calls.health().status, /^plane: /);
  assert.deepEqual(
    (await client.list()).map(({ vlanId, isUp }) => [vlanId, isUp]),
    [[100, true]],
    'as last known',
  );
  it.driver.setAway(false);
  for (let turn = 0; !client.calls.health().healthy && turn < 500; turn++) await sleep(10);
  assert.deepEqual(await client.list(101), []);
  assert.equal((await client.createVlan(101)).error, '');
});

test('a store that cannot be written: refused, nothing is different', async (t) => {
  const { client, it, plane } = await populated(t);
  const before = [await plane(), it.intents.said()];
  const full = new ProblemError(problem('data.unwritable', 'the disk is full'));
  t.mock.method(it.store, 'commit', () => {
    throw full;
  });
  for (const answer of [await client.createVlan(101), await client.deleteVlan(100), await client.createVlan(100)]) {
    assert.equal(answer.success, false);
    assert.match(answer.error, /the disk is full/);
  }
  assert.deepEqual([await plane(), it.intents.said()], before);
});

test('what another source holds is not taken from it', async (t) => {
  const { client, it } = await world(t);
  const port = { hostPort: 443, protocol: 'tcp', address: '10.1.1.1', port: 443, count: 1 } as const;
  it.desired.put('controller', { kind: 'publishedPort', vrf: 'default', hostAddress: null, ...port });
  assert.match((await client.addPort('tcp', 443, '10.0.100.2:443')).error, /controller.*\(intent.conflict\)/);
  assert.deepEqual(it.intents.said(), []);
  assert.equal((await client.removePort('tcp', 443)).success, true);
  assert.ok(it.desired.get('controller', 'publishedPort/default/*/tcp/443' as never));
});

test('a plane that lacks a kind says so before anything is done', async (t) => {
  const it = await openWorld(':memory:', ['vrf', 'link', 'address', 'route', 'natRule']);
  t.after(() => it.stop());
  const { success, error } = await new Client(it.intents).createVlan(100);
  assert.equal(success, false);
  assert.match(error, /intent.unsupported/);
  assert.deepEqual([it.intents.said(), it.driver.changes], [[], 0]);
});

test('a link that is gone is listed as down, with what was said; a MAC that the plane tells is told', async (t) => {
  const { client, it } = await populated(t);
  const link = 'link/eth0.100' as ObjectKey;
  it.driver.learn(link, { mac: '02:00:5e:10:00:09', operUp: false });
  assert.deepEqual(
    (await client.list()).map(({ macAddress, mtu, isUp }) => [macAddress, mtu, isUp]),
    [['02:00:5e:10:00:09', 1400, false]],
  );
  assert.equal((await client.createVlan(100, { mtu: 1400 })).macAddress, '02:00:5e:10:00:09');
  it.driver.faults.fail(link, Number.POSITIVE_INFINITY);
  it.driver.restart('a test');
  for (let turn = 0; client.calls.health().healthy && turn < 200; turn++) await sleep(10);
  assert.deepEqual(
    (await client.list()).map(({ vlanId, macAddress, mtu, isUp, subnet }) => [vlanId, macAddress, mtu, isUp, subnet]),
    [[100, '', 0, false, '10.0.100.0/24']],
  );
  assert.match(
    (await client.createVlan(100, { mtu: 1400 })).error,
    /link\/eth0.100/,
    'the same again does not hide it',
  );
  it.driver.faults.heal(link);
  assert.equal((await client.createVlan(100, { mtu: 1400 })).error, '', 'and mends it at once');
});

test('a bug inside is an answer, and the next call is served', async () => {
  const intents = new MemoryIntents();
  const client = new Client(intents, () => {
    throw new TypeError('a bug');
  });
  assert.match((await client.createVlan(100)).error, /a bug \(internal\)/);
  assert.equal((await client.deleteVlan(100)).success, true);
});

test('routes that cannot be read are told as that, not as routes that are not there', async () => {
  const what = problem('plane.failed', 'the kernel does not tell /proc/self/net/route (EMFILE)');
  const client = new Client(new MemoryIntents(), () => {
    throw new ProblemError(what);
  });
  assert.equal((await client.createVlan(100)).error, `${what.message} (plane.failed)`);
});

test('who has gone before its turn changes nothing; who goes later has changed it (deadlines)', async () => {
  const intents = new MemoryIntents();
  intents.delayMs = 40;
  const client = new Client(intents);
  const gone = new AbortController();
  const first = client.createVlan(100, {}, gone.signal);
  const second = client.createVlan(101, {}, gone.signal);
  await sleep(5);
  gone.abort(new Error('gone'));
  await assert.rejects(second, /gone/);
  await first.catch(() => {});
  assert.deepEqual(
    (await client.list()).map(({ vlanId }) => vlanId),
    [100],
  );
});

test('26: uptime in whole seconds, and how many VLANs', async (t) => {
  let now = performance.now();
  t.mock.method(performance, 'now', () => now);
  const client = new Client(new MemoryIntents());
  await client.createVlan(100);
  await client.createVlan(101);
  now += 61_900;
  assert.deepEqual(client.calls.health(), { healthy: true, status: 'running', activeVlans: 2, uptimeSeconds: 61n });
});
