/** The contract of planes without processes here, and with real ones in a namespace of their own; and how long many names take. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { JoinedDriver } from '@vrouter/drivers/contract/joined.ts';
import { driverContract } from '@vrouter/drivers/contract/suite.ts';
import { DnsmasqDriver } from '@vrouter/drivers/dnsmasq/driver.ts';
import { FakeResolvers } from '@vrouter/drivers/dnsmasq/resolvers.testing.ts';
import { FakeDriver } from '@vrouter/drivers/fake/fake.ts';
import { type ObjectKind, objectKinds } from '@vrouter/intent/model/objects.ts';
import { programPath } from '../world/needs.ts';
import { A } from './message.ts';
import { create, DnsWorld, record, remove, skip, zone } from './world.ts';

const others = (Object.keys(objectKinds) as ObjectKind[]).filter((kind) => kind !== 'dnsZone' && kind !== 'dnsRecord');

driverContract('dnsmasq beside a fake plane', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-names-'));
  const names = new DnsmasqDriver({ folder, reader: null }, new FakeResolvers(folder));
  return {
    driver: new JoinedDriver(new FakeDriver(others), names),
    dispose: async () => rmSync(folder, { recursive: true }),
  };
});

test('the contract of planes, with real processes', { skip }, () => {
  const program = new URL('contract.ts', import.meta.url).pathname;
  // A test inside a test would report to the outer one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(programPath('unshare')!, ['-n', process.execPath, program], {
    encoding: 'utf8',
    timeout: 120_000,
    env,
  });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /pass [1-9]/);
});

test('one name more among many is there soon, and lost is no question', { skip, timeout: 60_000 }, async (t) => {
  const world = new DnsWorld();
  await world.start();
  try {
    await world.make(zone());
    let there = 0;
    for (const count of [10, 1000, 10_000]) {
      const many = Array.from({ length: count - there }, (_, i) =>
        record(`n${there + i}`, `10.${(there + i) >> 16}.${((there + i) >> 8) & 255}.${(there + i) & 255}`),
      );
      await world.apply(...many.map(create));
      const all = world.applyMs;
      there = count;
      const times: number[] = [];
      const stop = await world.flood('b', '172.18.0.1', 'n0');
      for (let round = 0; round < 20; round++) {
        const one = record('one', `172.18.7.${round}`);
        const began = performance.now();
        await world.make(one);
        assert.deepEqual((await world.ask('b', '172.18.0.1', 'one.blue.example', A))?.data, [one.data]);
        times.push(performance.now() - began);
        await world.apply(remove(one));
      }
      const { sent, lost, slowest } = await stop();
      times.sort((a, b) => a - b);
      t.diagnostic(
        `${count} names: all of them ${all.toFixed(0)} ms; one more, from apply to its answer, median ${times[10]!.toFixed(1)} ms, worst ${times[19]!.toFixed(1)} ms; ${lost} of ${sent} questions lost, slowest answer ${slowest.toFixed(1)} ms`,
      );
      assert.equal(lost, 0);
    }
  } finally {
    await world.stop();
  }
});
