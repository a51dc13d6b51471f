/** Changes while hosts ask, and what happens when processes die. Numbers are those of the acceptance list. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { DnsZoneObject, ObjectKey } from '@vrouter/intent/model/objects.ts';
import { objectKey } from '@vrouter/intent/model/objects.ts';
import { A } from './message.ts';
import { create, DnsWorld, green, record, remove, skip, until, zone } from './world.ts';

const BLUE = '172.18.0.1';
const GREEN = '172.19.0.1';

describe('changes of names', { skip }, () => {
  const world = new DnsWorld();
  before(() => world.start(), { timeout: 30_000 });
  after(() => world.stop());
  const blueHealth = async () => (await world.health()).find((row) => row.zone === 'blue')!;
  /** Another process than this one answers. */
  const replaced = (pid: number | null): Promise<void> =>
    until(async () => {
      const row = await blueHealth();
      return row.up && row.pid !== pid;
    });
  const web = record('web', '172.18.0.5');

  test('20: 200 updates while a host asks every millisecond lose no question, in either network', async () => {
    await world.make(zone(), web, green(), record('web', '172.19.0.5', 'green'));
    const { pid } = await blueHealth();
    const stop = await world.flood('b', BLUE, 'web', 'changing');
    const stopGreen = await world.flood('g', GREEN, 'web');
    let last = record('changing', '172.18.9.0');
    await world.make(last);
    for (let round = 1; round <= 200; round++) {
      const next = record('changing', `172.18.9.${round}`);
      await world.apply(remove(last), create(next));
      last = next;
    }
    const [blue, other] = [await stop(), await stopGreen()];
    assert.ok(blue.sent > 500, `${blue.sent}`);
    assert.equal(blue.lost, 0);
    assert.equal(other.lost, 0);
    assert.deepEqual(Object.keys(blue.seen.web!), ['172.18.0.5']);
    assert.deepEqual(Object.keys(other.seen.web!), ['172.19.0.5']);
    // Never both addresses, and never none.
    for (const what of Object.keys(blue.seen.changing!)) assert.match(what, /^(172\.18\.9\.\d+|rcode 3)$/);
    assert.equal((await blueHealth()).pid, pid, 'it is the same process');
    await world.unmake(last);
  });

  test('domain and servers change without a restart and without a gap', async () => {
    const { log } = await world.upstream(
      'u',
      'first',
      'port=53',
      'bind-interfaces',
      'listen-address=192.0.2.2',
      'address=/#/203.0.113.1',
    );
    const { pid } = await blueHealth();
    const stop = await world.flood('b', BLUE, 'web');
    const change = async (over: Partial<DnsZoneObject>): Promise<void> => {
      const [result] = await world.apply(create(zone(over)));
      assert.ok(result!.ok, JSON.stringify(result));
      assert.deepEqual(result.now?.object, zone(over));
    };
    await change({ domain: 'other.example' });
    assert.equal((await world.ask('b', BLUE, 'web.blue.example', A))?.rcode, 3);
    assert.deepEqual((await world.ask('b', BLUE, 'web.other.example', A))?.data, ['172.18.0.5']);
    await change({ domain: null, upstreams: ['192.0.2.2'] });
    assert.deepEqual((await world.ask('b', BLUE, 'web.other.example', A))?.data, ['203.0.113.1']);
    await change({ domain: 'other.example', upstreams: ['192.0.2.2'] });
    assert.deepEqual((await world.ask('b', BLUE, 'web.other.example', A))?.data, ['172.18.0.5']);
    await change({});
    assert.equal((await world.ask('b', BLUE, 'example.org', A))?.rcode, 3);
    assert.equal((await blueHealth()).pid, pid);
    const { lost } = await stop();
    assert.equal(lost, 0);
    assert.doesNotMatch(readFileSync(log, 'utf8'), /blue\.example/);
  });

  test('asking whom the host asks is another process; the gap is short', async (t) => {
    const { pid } = await blueHealth();
    const stop = await world.flood('b', BLUE, 'web');
    const [result] = await world.apply(create(zone({ upstreams: null })));
    assert.ok(result!.ok);
    assert.deepEqual((await world.ask('b', BLUE, 'example.org', A))?.data, ['203.0.113.1']);
    const { sent, lost } = await stop();
    t.diagnostic(`${lost} of ${sent} questions lost, one a millisecond`);
    assert.ok(lost < 200);
    assert.notEqual((await blueHealth()).pid, pid);
    await world.make(zone());
  });

  test('kill -9 of a process: told, mended at once, all as before', async () => {
    const { pid } = await blueHealth();
    process.kill(pid!, 'SIGKILL');
    const began = performance.now();
    await until(async () => (await world.ask('b', BLUE, 'web', A))?.data[0] === '172.18.0.5', 5000);
    assert.ok(performance.now() - began < 2500);
    const { pid: next, up, restarts } = await blueHealth();
    assert.ok(up && next !== pid && restarts >= 1);
    const told = world.changes.flatMap((change) => (change.kind === 'keys' ? change.keys : []));
    for (const object of [zone(), web]) assert.ok(told.includes(objectKey(object)), objectKey(object));
    await until(async () => (await world.observe([objectKey(zone())])).length === 1);
  });

  test('a process that is stuck is replaced', async () => {
    const { pid } = await blueHealth();
    process.kill(pid!, 'SIGSTOP');
    await replaced(pid);
    assert.deepEqual((await world.ask('b', BLUE, 'web', A))?.data, ['172.18.0.5']);
  });

  test('a process that is stuck while names change is replaced, and knows them', async () => {
    const { pid } = await blueHealth();
    process.kill(pid!, 'SIGSTOP');
    const late = record('late', '172.18.0.44');
    await world.make(late);
    assert.deepEqual((await world.ask('b', BLUE, 'late', A))?.data, ['172.18.0.44']);
    assert.notEqual((await blueHealth()).pid, pid);
    await world.unmake(late);
  });

  test('who has a TCP connection from before a change is hung up on soon after it', async () => {
    await world.hold('b', BLUE, async (closed) => {
      await world.make(record('newer', '172.18.0.45'));
      await closed;
      await world.unmake(record('newer', '172.18.0.45'));
    });
  });

  test('24: kill -9 of the daemon: names go on, the next one adopts the same processes and can change them', async () => {
    const before = await world.observe();
    const health = await world.health();
    const stop = await world.flood('b', BLUE, 'web');
    await world.killGateway();
    assert.deepEqual((await world.ask('g', GREEN, 'web', A))?.data, ['172.19.0.5']);
    await world.startGateway();
    assert.deepEqual(await world.observe(), before);
    assert.deepEqual(
      (await world.health()).map(({ zone, up, pid }) => [zone, up, pid]).sort(),
      health.map(({ zone, pid }) => [zone, true, pid]).sort(),
    );
    await world.make(record('later', '172.18.0.9'));
    assert.deepEqual((await world.ask('b', BLUE, 'later', A))?.data, ['172.18.0.9']);
    assert.equal((await stop()).lost, 0);
    await world.unmake(record('later', '172.18.0.9'));
  });

  test('an adopted process that dies is mended as well', async () => {
    const { pid } = await blueHealth();
    process.kill(pid!, 'SIGKILL');
    await replaced(pid);
    assert.deepEqual((await world.ask('b', BLUE, 'web', A))?.data, ['172.18.0.5']);
  });

  test('kill -9 of the daemon and of a process: the next daemon has no such zone, and makes it again', async () => {
    const { pid } = await blueHealth();
    await world.killGateway();
    process.kill(pid!, 'SIGKILL');
    await world.startGateway();
    assert.deepEqual(
      (await world.observe()).map(({ key }) => key).filter((key) => key.includes('blue')),
      [],
    );
    await world.make(zone(), web);
    assert.deepEqual((await world.ask('b', BLUE, 'web', A))?.data, ['172.18.0.5']);
  });

  test('a process is killed while somebody has a connection to it: its child does not hold the port', async () => {
    const { pid } = await blueHealth();
    await world.hold('b', BLUE, async () => {
      process.kill(pid!, 'SIGKILL');
      await until(async () => (await world.ask('b', BLUE, 'web', A))?.data[0] === '172.18.0.5', 10_000);
      assert.equal(world.dig('b', BLUE, '+tcp', 'web').status, 'NOERROR');
    });
  });

  test('the link goes away and comes again, with another index', async () => {
    const { pid } = await blueHealth();
    world.uncable('blue');
    await world.make(record('meanwhile', '172.18.0.8'));
    world.cable('blue', 'b', '172.18.0', 'fd18');
    for (const server of [BLUE, 'fd18::1'])
      await until(async () => (await world.ask('b', server, 'meanwhile', A))?.data[0] === '172.18.0.8');
    assert.equal(world.dig('b', BLUE, '+tcp', 'web').status, 'NOERROR');
    assert.equal(world.dig('g', BLUE, '+tcp', 'web').status, null);
    assert.equal((await blueHealth()).pid, pid);
  });

  test('an address that comes later answers, once it is no longer tentative', async () => {
    for (const [address, text] of [
      ['172.18.0.3', '172.18.0.3/24'],
      ['fd18::3', 'fd18::3/64'],
    ] as const) {
      world.run('router', 'ip', 'addr', 'add', text, 'dev', 'blue');
      await until(async () => (await world.ask('b', address, 'web', A))?.data[0] === '172.18.0.5', 6000);
      world.run('router', 'ip', 'addr', 'del', text, 'dev', 'blue');
    }
  });

  test('23: a network that is deleted answers no more when apply has resolved, and leaves nothing', async () => {
    const { pid } = await blueHealth();
    await world.unmake(web, record('meanwhile', '172.18.0.8'), zone());
    assert.equal(await world.ask('b', BLUE, 'web', A), null);
    assert.ok(!world.processes().includes(pid!));
    assert.deepEqual(readdirSync(world.folder), ['green']);
    assert.deepEqual((await world.ask('g', GREEN, 'web', A))?.data, ['172.19.0.5']);
    assert.deepEqual(await world.observe([objectKey(zone()), objectKey(web)]), []);
    // Again, and one that never was.
    await world.unmake(web, zone(), zone({ name: 'never' }));
    const [orphan] = await world.apply(create(web));
    assert.ok(!orphan!.ok && orphan.error.code === 'object.dependency');
  });

  test('a folder that was left half done is cleaned up by the next daemon, with its process', async () => {
    await world.make(zone(), web);
    const { pid } = await blueHealth();
    await world.killGateway();
    world.spoil('blue', 'zone.json', null);
    await world.startGateway();
    assert.ok(!world.processes().includes(pid!));
    assert.deepEqual(readdirSync(world.folder), ['green']);
  });

  test('files that somebody has changed are no zone of ours, and are written anew', async () => {
    await world.make(zone(), web);
    const key = objectKey(zone()) as ObjectKey;
    for (const [file, text] of [
      ['names', '172.18.0.66 web\n'],
      ['forwarders', 'server=203.0.113.9\n'],
      ['dnsmasq.conf', 'dhcp-script=/bin/false\n'],
      ['zone.json', '{}'],
    ] as const) {
      world.spoil('blue', file, text);
      assert.deepEqual(await world.observe([key]), [], file);
      await world.make(zone(), web);
      assert.deepEqual((await world.ask('b', BLUE, 'web', A))?.data, ['172.18.0.5']);
    }
  });
});
