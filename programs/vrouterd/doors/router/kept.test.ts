/** 24: what was said is there after a restart, in the order in which it was first said; foreign intents are left alone. 25: a serial order. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { intentKey } from '@vrouter/intent/model/intents.ts';
import fc from 'fast-check';
import type { RouterIntents } from './intents.ts';
import { MemoryIntents } from './memory.testing.ts';
import { Client, openWorld } from './world.testing.ts';

const never = new AbortController().signal;

test('24: a restart on an empty plane ends in the same state', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'router-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'db');
  const first = await openWorld(path);
  const port = { kind: 'publishedPort', hostPort: 9, protocol: 'udp', address: '10.1.1.1', port: 9 };
  first.store.commit(
    'controller',
    { put: [{ key: 'publishedPort/default/*/udp/9' as never, body: port }], remove: [] },
    null,
  );
  const client = new Client(first.intents);
  await client.createVlan(300, { subnet: '172.20.9.9/16', gateway: '172.20.0.1', networkName: 'blue' });
  await client.createVlan(100, { enableNat: false });
  await client.configureDns(300, { web: '172.20.0.2' }, 'blue.lan');
  await client.addPort('tcp', 80, '172.20.0.2:80', 300);
  assert.equal((await client.addPort('tcp', 81, '10.0.100.2:80', 100)).error, '');
  await client.configureNat(100, '10.50.0.0/16');
  const said = structuredClone(first.intents.said());
  const listed = await client.list();
  const objects = async (world: typeof first): Promise<string[]> =>
    (await world.driver.observe('all', never))
      .map(({ key }) => key)
      .filter((key) => !key.includes('udp/9'))
      .sort();
  const before = await objects(first);
  await first.stop();

  const second = await openWorld(path);
  t.after(() => second.stop());
  const again = new Client(second.intents);
  assert.deepEqual(second.intents.said(), said);
  assert.deepEqual(await again.list(), listed);
  assert.deepEqual(await objects(second), before);
  assert.ok(second.desired.get('controller', 'publishedPort/default/*/udp/9' as never));
  await again.deleteVlan(100);
  assert.deepEqual(
    second.intents.said().map(({ intent }) => intentKey(intent)),
    ['network/vlan-300', 'dnsName/vlan-300/web', 'publishedPort/default/*/tcp/80'],
  );
});

type Call = (client: Client) => Promise<{ readonly success: boolean }>;

const call: fc.Arbitrary<readonly [string, Call]> = fc
  .tuple(
    fc.nat(7),
    fc.integer({ min: 100, max: 102 }),
    fc.integer({ min: 80, max: 82 }),
    fc.integer({ min: 2, max: 3 }),
  )
  .map(([what, vlan, port, host]): readonly [string, Call] => {
    const address = `10.0.${vlan}.${host}`;
    const calls: readonly Call[] = [
      (c) => c.createVlan(vlan),
      (c) => c.createVlan(vlan, { mtu: 1400, enableNat: false }),
      (c) => c.deleteVlan(vlan),
      (c) => c.configureNat(vlan, `10.${host}.0.0/16`),
      (c) => c.removeNat(vlan, `10.${host}.0.0/16`),
      (c) => c.configureDns(vlan, { [`n${host}`]: address }),
      (c) => c.addPort('tcp', port, `${address}:80`, vlan),
      (c) => c.removePort('tcp', port),
    ];
    return [`${what} ${vlan} ${port} ${host}`, calls[what]!];
  });

const shape = (intents: RouterIntents): string[] =>
  intents
    .said()
    .map((one) => JSON.stringify(one))
    .sort();

test('25: any calls at once end as they do one after the other, in the order in which they came', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 20, maxLength: 100 }), async (calls) => {
      const [together, serial] = [new MemoryIntents(), new MemoryIntents()];
      const at = new Client(together);
      const answers = await Promise.all(calls.map(([, one]) => one(at)));
      const alone = new Client(serial);
      const expected: boolean[] = [];
      for (const [, one] of calls) expected.push((await one(alone)).success);
      assert.deepEqual(
        answers.map(({ success }) => success),
        expected,
      );
      assert.deepEqual(shape(together), shape(serial));
    }),
    { numRuns: 30 },
  );
});

test('25: the same over the store and a plane, which then has just that', async (t) => {
  const [calls] = fc.sample(fc.array(call, { minLength: 100, maxLength: 100 }), { numRuns: 1, seed: 7 });
  const [together, serial] = [await openWorld(), await openWorld()];
  t.after(() => Promise.all([together.stop(), serial.stop()]));
  const at = new Client(together.intents);
  const alone = new Client(serial.intents);
  const answers = await Promise.all(calls!.map(([, one]) => one(at)));
  for (const [i, [, one]] of calls!.entries()) assert.equal((await one(alone)).success, answers[i]!.success);
  const plane = async (world: typeof together): Promise<string[]> =>
    (await world.driver.observe('all', never)).map(({ object }) => JSON.stringify(object)).sort();
  assert.deepEqual(shape(together.intents), shape(serial.intents));
  assert.deepEqual(await plane(together), await plane(serial));
});
