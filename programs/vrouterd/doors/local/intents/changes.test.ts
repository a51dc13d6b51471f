/** What is said on this host, over a store, an index, the loop and a plane in memory. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { IntentChange } from '@vrouter/api/gateway/intents.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import { openWorld } from '../../router/world.testing.ts';
import { blue, name, network, open, over, own, port, refusal } from './changes.testing.ts';
import { ChangeFailed } from './changes.ts';
import { networkRows } from './networks.ts';
import { intentRows } from './rows.ts';
import { pools } from './subnets.ts';

const never = new AbortController().signal;

test('a network, a name and a port by one change: on the plane when it is answered, and gone by another', async (t) => {
  const { change, keys, plane, sees } = await open(t);
  const before = await plane();
  const { put } = await change(blue);
  assert.deepEqual(put[0]?.intent?.subnets, [{ prefix: '172.18.0.0/16', gateway: '172.18.0.1' }]);
  assert.deepEqual(keys(), ['cli network/blue', 'cli dnsName/blue/web', 'cli publishedPort/default/*/tcp/8080']);
  const made = await plane();
  assert.ok(made.some((object) => object.includes('"name":"port/default/*/tcp/8080"')));
  assert.ok(made.some((object) => object.includes('"name":"www"')));
  const [row] = await networkRows(sees);
  assert.deepEqual([row?.names.length, row?.ports.length, row?.problems], [1, 1, []]);
  await change({ remove: ['network/blue'], force: true });
  assert.deepEqual([keys(), await plane()], [[], before]);
});

test('what is stored is there after kill -9, with the age that it had', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'said-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const first = await openWorld(join(folder, 'db'));
  const { change, keys } = over(first);
  await change(blue);
  const said = keys();
  await first.reconciler.stop();
  const { it, ...again } = await open(t, join(folder, 'db'));
  assert.deepEqual(again.keys(), said);
  assert.equal(it.desired.problems().length, 0);
  await again.change({ remove: ['dnsName/blue/web'] });
  assert.equal(again.keys().length, 2);
});

test('all or nothing: one that is wrong, or wants what is not there, holds back the rest', async (t) => {
  const { change, keys, plane } = await open(t);
  const before = await plane();
  for (const [put, code, field] of [
    [[network('blue'), port(0)], 'input.invalid', 'put[1].hostPort'],
    [[network('blue'), port(80, { network: 'green' })], 'intent.reference', 'put[1].network'],
    [[network('blue'), port(80, { address: '10.0.0.1' })], 'address.invalid', 'put[1].address'],
    [[network('blue'), network('blue')], 'input.invalid', 'put[1]'],
    [[network('blue'), { kind: 'nonsense' }], 'input.invalid', 'put[1].kind'],
    [[network('blue', { colour: 1 })], 'input.invalid', 'put[0].colour'],
    [[network('blue', { subnets: [{ prefix: '10.0.0.1/24' }] })], 'prefix.invalid', 'put[0].subnets[0].prefix'],
    [
      [network('blue', { subnets: [{ prefix: '10.0.0.0/24', gateway: '10.0.0.0' }] })],
      'address.invalid',
      'put[0].subnets[0].gateway',
    ],
    [[network('blue', { subnets: [{ prefix: '10.0.0.0' }] })], 'prefix.invalid', 'put[0].subnets[0].prefix'],
    [[network('blue', { subnets: [{ prefix: '10.0.0.0/32' }] })], 'prefix.invalid', 'put[0].subnets[0].prefix'],
    [[network('blue'), port(80, { address: '172.18.0.1' })], 'address.invalid', 'put[1].address'],
    [[network('blue'), port(80, { address: '172.18.255.255' })], 'address.invalid', 'put[1].address'],
    [[network('blue', { subnets: 7 })], 'input.invalid', 'put[0].subnets'],
    [[network('blue', { subnets: [null, { prefix: 7 }] })], 'input.invalid', 'put[0].subnets[0]'],
  ] as const)
    assert.deepEqual((await refusal(change({ put: [...put] }))).slice(0, 2), [code, field]);
  assert.deepEqual([keys(), await plane()], [[], before]);
});

test('subnets: a gateway that is not said is the first address, of both families, and of two addresses', async (t) => {
  const { change } = await open(t);
  const subnets = [{ prefix: '10.1.0.0/24' }, { prefix: 'fd01::/64' }, { prefix: '10.2.0.0/31' }];
  const { put } = await change({ put: [network('blue', { subnets })] });
  assert.deepEqual(put[0]?.intent?.subnets, [
    { prefix: '10.1.0.0/24', gateway: '10.1.0.1' },
    { prefix: '10.2.0.0/31', gateway: '10.2.0.0' },
    { prefix: 'fd01::/64', gateway: 'fd01::1' },
  ]);
});

test('the first free subnet: not that of another network, of the host, or of a route', async (t) => {
  const { change, host, foreign } = await open(t);
  const subnetOf = async (id: string) => {
    const { put } = await change({ put: [network(id)], create: true });
    const [subnet] = put[0]!.intent!.subnets as { prefix: string }[];
    return subnet?.prefix;
  };
  foreign('file', network('theirs', { subnets: [{ prefix: '172.18.4.0/24', gateway: '172.18.4.1' }] }));
  host.networks = [own('docker0', '172.19.0.0/16'), own('eth0', '172.20.0.0/14', false)];
  assert.equal(await subnetOf('a'), '172.24.0.0/16');
  assert.equal(await subnetOf('b'), '172.25.0.0/16');
  host.networks.push(own('eth1', '172.16.0.0/12'));
  assert.equal(await subnetOf('c'), '192.168.0.0/20');
  host.networks.push(own('eth1', '192.168.0.0/16'));
  assert.deepEqual((await refusal(change({ put: [network('d')] }))).slice(0, 2), ['pool.exhausted', 'put[0].subnets']);
  assert.equal(pools.length, 30);
});

test('a network that is said again without subnets keeps them', async (t) => {
  const { change, host } = await open(t);
  await change({ put: [network('blue')] });
  // What the host has gained meanwhile is no reason to refuse what is there.
  host.networks = [own('br-blue', '172.18.0.0/16'), own('eth5', '172.18.9.0/24')];
  const { put } = await change({ put: [network('blue', { mtu: 1400 })] });
  assert.deepEqual(put[0]?.intent?.subnets, [{ prefix: '172.18.0.0/16', gateway: '172.18.0.1' }]);
});

test('overlaps: equal, within, around, in the same change, in the network itself, with the host', async (t) => {
  const { change, host, foreign } = await open(t);
  const gateway = { ...own('eth0', '198.51.100.1/32'), isGateway: true };
  host.networks = [
    own('eth0', '192.0.2.0/24'),
    own('eth0', '10.0.0.0/8', false),
    own('eth0', '2001:db8::/64'),
    gateway,
  ];
  foreign('file', network('theirs', { subnets: [{ prefix: '10.4.0.0/16', gateway: '10.4.0.1' }] }));
  const one = (id: string, ...prefixes: string[]) => network(id, { subnets: prefixes.map((prefix) => ({ prefix })) });
  for (const [put, field, who] of [
    [[one('x', '10.4.0.0/16')], 'put[0].subnets[0].prefix', /theirs \(the configuration file\)/],
    [[one('x', '10.4.3.0/24')], 'put[0].subnets[0].prefix', /theirs/],
    [[one('x', '10.0.0.0/8')], 'put[0].subnets[0].prefix', /theirs/],
    [[one('x', '10.5.0.0/16'), one('y', '10.5.1.0/24')], 'put[1].subnets[0].prefix', /network x \(the same change\)/],
    [[one('x', '10.5.0.0/16', '10.5.1.0/24')], 'put[0].subnets[1].prefix', /itself/],
    [[one('x', '192.0.2.128/25')], 'put[0].subnets[0].prefix', /eth0 of this host/],
    [[one('x', '2001:db8::/48')], 'put[0].subnets[0].prefix', /eth0 of this host/],
    [[one('x', '198.51.100.0/24')], 'put[0].subnets[0].prefix', /this host's default route by eth0/],
  ] as const) {
    const [code, at, message] = await refusal(change({ put: [...put] }));
    assert.deepEqual([code, at], ['network.overlap', field]);
    assert.match(message, who);
  }
  await change({ put: [one('x', '10.5.0.0/16')] });
  await change({ put: [one('x', '10.5.0.0/17'), one('y', '10.5.128.0/17')] });
});

test('conflicts name who holds it, and what is there is no place for something new', async (t) => {
  const { change, foreign, keys } = await open(t);
  foreign('file', network('theirs', { subnets: [{ prefix: '10.4.0.0/16', gateway: '10.4.0.1' }] }));
  foreign('file', { ...port(443), network: 'theirs', address: '10.4.0.2' });
  await change(blue);
  const said = keys();
  for (const [request, code, who] of [
    [
      { put: [network('theirs', { mtu: 1400, subnets: [{ prefix: '10.4.0.0/16' }] })] },
      'intent.conflict',
      /file network\/theirs/,
    ],
    [{ put: [network('x', { interface: 'br-theirs' })] }, 'intent.conflict', /br-theirs.*file network\/theirs/],
    [{ put: [port(443)] }, 'intent.conflict', /file publishedPort/],
    [{ put: [port(440, { count: 10 })] }, 'intent.conflict', /file publishedPort/],
    [{ put: [network('theirs')], create: true }, 'intent.exists', /the configuration file/],
    [{ put: [name('web')], create: true }, 'intent.exists', /vrouterctl/],
    [{ remove: ['network/theirs'] }, 'intent.conflict', /the configuration file, which alone can remove it/],
    [{ remove: ['network/nobody'] }, 'intent.notFound', /no network\/nobody/],
    [{ put: [network('blue')], remove: ['network/blue'], force: true }, 'input.invalid', /put and removed at once/],
  ] as const) {
    const [actual, , message] = await refusal(change(request as unknown as IntentChange));
    assert.equal(actual, code);
    assert.match(message, who);
  }
  assert.deepEqual(keys(), said);
});

test('one goes and another takes its place in one change, and nothing goes when the other cannot', async (t) => {
  const { change, keys } = await open(t);
  await change({ put: [network('blue')] });
  const green = network('green', { interface: 'br-blue', subnets: [{ prefix: '172.18.0.0/16' }] });
  await change({ put: [green], remove: ['network/blue'] });
  assert.deepEqual(keys(), ['cli network/green']);
  const red = network('red', { interface: 'br-blue' });
  assert.equal(
    (await refusal(change({ put: [red, port(80, { network: 'blue' })], remove: ['network/green'] })))[0],
    'intent.reference',
  );
  assert.deepEqual(keys(), ['cli network/green']);
});

test('ports stay in their network: one that is said first, and those that a new subnet would leave behind', async (t) => {
  const { change, keys } = await open(t);
  assert.deepEqual((await refusal(change({ put: [port(80, { address: '10.0.0.2' }), network('blue')] }))).slice(0, 2), [
    'address.invalid',
    'put[0].address',
  ]);
  await change({ put: [port(80), network('blue')] });
  const moved = network('blue', { subnets: [{ prefix: '10.9.0.0/24' }] });
  assert.deepEqual((await refusal(change({ put: [moved] }))).slice(0, 2), ['intent.inUse', 'put[0].subnets']);
  await change({ put: [moved, port(80, { address: '10.9.0.2' })] });
  await change({
    put: [network('blue', { subnets: [{ prefix: '10.10.0.0/24' }] })],
    remove: ['publishedPort/default/*/tcp/80'],
  });
  assert.deepEqual(keys(), ['cli network/blue']);
});

test('five thousand ports are one change, and as many removals', async (t) => {
  const { change, keys, preview } = await open(t);
  const ports = Array.from({ length: 5000 }, (_, i) => port(10_000 + i));
  const began = performance.now();
  await change({ put: [network('blue'), ...ports], create: true });
  await preview({ put: ports });
  await change({ put: ports });
  await change({ remove: ['network/blue'], force: true });
  t.diagnostic(`${Math.round(performance.now() - began)} ms`);
  assert.deepEqual(keys(), []);
  assert.ok(performance.now() - began < 30_000);
});

test('a network in use goes with those who use it, or not at all', async (t) => {
  const { change, keys, foreign } = await open(t);
  await change(blue);
  const [code, field, message] = await refusal(change({ remove: ['network/blue'] }));
  assert.deepEqual([code, field], ['intent.inUse', 'remove[0]']);
  assert.match(message, /dnsName\/blue\/web and 1 more/);
  foreign('file', name('file'));
  const foreignUse = await refusal(change({ remove: ['network/blue'], force: true }));
  assert.equal(foreignUse[0], 'intent.inUse');
  assert.match(foreignUse[2], /the configuration file, which has to take it back first/);
  // Another says the network too: it stays.
  foreign('file', network('blue', { subnets: [{ prefix: '172.18.0.0/16', gateway: '172.18.0.1' }] }));
  await change({ remove: ['network/blue'] });
  assert.deepEqual(keys().sort(), [
    'cli dnsName/blue/web',
    'cli publishedPort/default/*/tcp/8080',
    'file dnsName/blue/file',
    'file network/blue',
  ]);
});

test('a port at which the host listens is left to it, unless forced, or there already', async (t) => {
  const { change, host } = await open(t);
  await change({ put: [network('blue')] });
  host.listeners = [{ protocol: 'tcp', address: '::', port: 22 }];
  assert.deepEqual((await refusal(change({ put: [port(20, { count: 5 })] }))).slice(0, 2), [
    'port.inUse',
    'put[0].hostPort',
  ]);
  await change({ put: [port(22)], force: true });
  await change({ put: [port(22, { port: 2222 })] });
});

test('a dry run changes nothing, tells the steps, and is refused as the change would be', async (t) => {
  const { preview, change, keys, plane, it } = await open(t);
  const before = await plane();
  const told = await preview(blue);
  assert.deepEqual([keys(), await plane(), it.store.intents()], [[], before, []]);
  assert.deepEqual(
    told.put.map(({ key }) => key),
    ['network/blue', 'dnsName/blue/web', 'publishedPort/default/*/tcp/8080'],
  );
  assert.equal(told.effect, 'none');
  const made = new Set((await change(blue)).put.map(({ key }) => key));
  assert.equal(made.size, 3);
  const created = told.steps.map(({ key }) => key).sort();
  assert.deepEqual(
    created,
    (await it.driver.observe('all', never))
      .map(({ key }) => key as string)
      .filter((key) => key !== 'vrf/default')
      .sort(),
  );
  const gone = await preview({ remove: ['network/blue'], force: true });
  assert.deepEqual([gone.effect, gone.removed.length, gone.steps.length], ['interrupt', 3, told.steps.length]);
  const changed = await preview({ put: [network('blue', { mtu: 1400 })] });
  assert.deepEqual(
    changed.steps.map(({ op, key, changed: fields }) => [op, key, ...fields]),
    [['update', 'link/br-blue', 'mtu']],
  );
  assert.equal((await refusal(preview({ put: [port(8080, { network: 'green' })] })))[0], 'intent.reference');
  assert.equal((await refusal(preview({ remove: ['network/blue'] })))[0], 'intent.inUse');
  assert.deepEqual((await preview({})).steps, []);
});

test('what the plane cannot make is taken back, and told by key', async (t) => {
  const { change, keys, plane, it } = await open(t);
  await change(blue);
  const before = [keys(), await plane(), it.store.intents()];
  const why = problem('object.exists', 'this host has a bridge of that name');
  it.driver.faults.fail('link/br-green' as ObjectKey, 1, why);
  await assert.rejects(
    change({ put: [network('green'), name('db')], remove: ['publishedPort/default/*/tcp/8080'] }),
    (thrown) => {
      assert.ok(thrown instanceof ChangeFailed);
      assert.deepEqual([thrown.problem.code, thrown.restored], ['object.exists', true]);
      assert.match(
        thrown.problem.message,
        /^link\/br-green: this host has a bridge of that name; what was before is so again$/,
      );
      assert.deepEqual(thrown.failed[0], { key: 'link/br-green', code: 'object.exists', message: why.message });
      return true;
    },
  );
  assert.deepEqual(
    [keys().sort(), await plane(), it.store.intents().length],
    [(before[0] as string[]).sort(), before[1], 3],
  );
});

test('a plane that does not answer: what was before is said again, and becomes so when it is back', async (t) => {
  const it = await openWorld();
  t.after(() => it.stop());
  const { change, keys, plane } = over(it, 100);
  const before = await plane();
  it.driver.setAway(true);
  await assert.rejects(change(blue), (thrown) => {
    assert.ok(thrown instanceof ChangeFailed);
    assert.deepEqual([thrown.problem.code, thrown.restored], ['timeout', false]);
    return true;
  });
  assert.deepEqual(keys(), []);
  it.driver.setAway(false);
  await it.reconciler.settled(10_000);
  assert.deepEqual(await plane(), before);
});

test('a store that is full refuses, and nothing is different', async (t) => {
  const { it } = await open(t);
  const commit = (): never => {
    throw new ProblemError(problem('data.unwritable', 'the disk is full'));
  };
  const store = { commit, intents: () => it.store.intents() };
  const full = over({ ...it, parts: { ...it.parts, store } });
  assert.equal((await refusal(full.change(blue)))[0], 'data.unwritable');
  assert.deepEqual(full.keys(), []);
});

test('what is stored and cannot be read is listed, and can be removed', async (t) => {
  const { it, keys, change, sees } = await open(t);
  it.store.commit('cli', { put: [{ key: 'network/old' as never, body: { kind: 'older' } }], remove: [] }, null);
  it.parts.badIntents.put({
    source: 'cli',
    key: 'network/old' as never,
    problem: problem('input.invalid', 'what is it?'),
  });
  assert.deepEqual(intentRows(sees, { source: 'cli' }), [
    {
      key: 'network/old',
      source: 'cli',
      intent: null,
      problems: [{ key: 'network/old', code: 'input.invalid', message: 'what is it?' }],
    },
  ]);
  await change({ remove: ['network/old'] });
  assert.deepEqual([keys(), it.store.intents()], [[], []]);
});

test('lists: by kind, source and network; secrets are not told', async (t) => {
  const { change, sees, foreign } = await open(t);
  await change(blue);
  const key = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
  foreign('file', { kind: 'gatewayInterface', name: 'wg0', type: 'wireguard', listenPort: 1 });
  foreign('file', { kind: 'peer', interface: 'wg0', publicKey: key, presharedKey: key });
  const keysOf = (query: Parameters<typeof intentRows>[1]) => intentRows(sees, query).map((row) => row.key);
  assert.deepEqual(keysOf({ kind: 'dnsName' }), ['dnsName/blue/web']);
  assert.deepEqual(keysOf({ source: 'file' }), ['gatewayInterface/wg0', `peer/wg0/${key}`]);
  assert.deepEqual(keysOf({ network: 'blue' }), ['dnsName/blue/web', 'publishedPort/default/*/tcp/8080']);
  assert.throws(() => keysOf({ network: 'green' }), ProblemError);
  const [peer] = intentRows(sees, { kind: 'peer' });
  assert.equal(peer?.intent?.presharedKey, '(hidden)');
});
