import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type ObjectKey, objectKey } from '@vrouter/intent/model/objects.ts';
import * as s from '../contract/samples.ts';
import { DnsmasqDriver } from './driver.ts';
import { FakeResolvers } from './resolvers.testing.ts';

const never = new AbortController().signal;
const zone = s.dnsZone();
const web = s.dnsRecord();
const key = objectKey(zone);

interface Made {
  readonly driver: DnsmasqDriver;
  readonly resolvers: FakeResolvers;
  readonly folder: string;
}

function made(t: TestContext): Made {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-names-'));
  const resolvers = new FakeResolvers(folder);
  const driver = new DnsmasqDriver({ folder, reader: null }, resolvers);
  t.after(() => rmSync(folder, { recursive: true }));
  return { driver, resolvers, folder };
}

test('a batch is one write and one reading for each zone', async (t) => {
  const { driver, resolvers } = made(t);
  const other = s.dnsZone({ name: 'other', link: 'other0' });
  const steps = [zone, web, s.dnsRecord({ name: 'db' }), other, s.dnsRecord({ zone: 'other' })].map(s.create);
  assert.ok((await driver.apply(steps, never)).every(({ ok }) => ok));
  assert.deepEqual(resolvers.calls.toSorted(), ['keep contract', 'keep other']);
  await driver.apply(steps, never);
  assert.equal(resolvers.calls.length, 2, 'twice is nothing');
  assert.match(
    resolvers.read.get('contract')!,
    /^10\.66\.0\.2 db\n10\.66\.0\.2 web\n#.*\n10\.66\.0\.2 db\.contract\.example\n/,
  );
});

test('a zone whose process has died is not there, nor are its names; both are when it is back', async (t) => {
  const { driver, resolvers } = made(t);
  await driver.apply([zone, web].map(s.create), never);
  const stop = new AbortController();
  const news = driver.watch(stop.signal)[Symbol.asyncIterator]();
  resolvers.die('contract');
  assert.deepEqual((await news.next()).value, { kind: 'keys', keys: [key, objectKey(web)] });
  stop.abort();
  assert.deepEqual(await driver.observe('all', never), []);
  const [again] = await driver.apply([s.create(zone)], never);
  assert.deepEqual(again?.now?.object, zone);
  assert.deepEqual((await driver.observe('all', never)).map((row) => row.key).sort(), [key, objectKey(web)].sort());
});

test('what the process has not read is not true', async (t) => {
  const { driver, resolvers } = made(t);
  await driver.apply([s.create(zone)], never);
  resolvers.failure = problem('plane.failed', 'it sleeps');
  const [result] = await driver.apply([s.create(web)], never);
  assert.deepEqual(result, { key: objectKey(web), ok: false, now: null, error: problem('plane.failed', 'it sleeps') });
  assert.deepEqual(await driver.observe('all', never), []);
  // The files are as they should be; it is told again all the same.
  const [again] = await driver.apply([s.create(web)], never);
  assert.equal(again?.ok, true);
  assert.match(resolvers.read.get('contract')!, /web/);
});

test('a new driver finds what an earlier one has written', async (t) => {
  const { driver, resolvers, folder } = made(t);
  await driver.apply([zone, web].map(s.create), never);
  const next = new DnsmasqDriver({ folder, reader: null }, resolvers);
  assert.deepEqual(await next.observe('all', never), await driver.observe('all', never));
});

test('files that are not what we would have written are no zone', async (t) => {
  const { driver, resolvers, folder } = made(t);
  const files = resolvers.files('contract');
  const damages: readonly (readonly [string, string])[] = [
    [files.names, '10.66.0.9 web\n'],
    [files.names, `${'10.66.0.2 a b\n'}# the same with the domain\n`],
    [files.forwarders, ''],
    [files.configuration, 'conf-file=/etc/shadow\n'],
    [files.zone, '{"kind":"dnsZone","name":"contract"}'],
    [files.zone, 'null'],
    [files.zone, JSON.stringify({ ...zone, name: 'another' })],
  ];
  for (const [path, text] of damages) {
    await driver.apply([zone, web].map(s.create), never);
    assert.equal((await driver.observe([key], never)).length, 1);
    writeFileSync(path, text);
    assert.deepEqual(await driver.observe('all', never), [], `${path} ${text}`);
  }
  writeFileSync(join(folder, 'a file'), '');
  assert.deepEqual(await driver.observe('all', never), []);
});

test('a zone goes with all that is in it; one that was never there has gone', async (t) => {
  const { driver, resolvers, folder } = made(t);
  await driver.apply([zone, web].map(s.create), never);
  for (let round = 0; round < 2; round++)
    assert.deepEqual(await driver.apply([s.remove(zone), s.remove(web)], never), [
      { key, ok: true, now: null },
      { key: objectKey(web), ok: true, now: null },
    ]);
  assert.deepEqual(readdirSync(folder), []);
  assert.ok(resolvers.calls.includes('end contract'));
});

test('replaced in one batch: another link, and the names that come after', async (t) => {
  const { driver } = made(t);
  await driver.apply([zone, web].map(s.create), never);
  const moved = s.dnsZone({ link: 'wgc1' });
  const results = await driver.apply([s.remove(web), s.remove(zone), s.create(moved), s.create(web)], never);
  assert.ok(results.every(({ ok }) => ok));
  assert.deepEqual(
    (await driver.observe([key, objectKey(web)], never)).map(({ object }) => object),
    [moved, web],
  );
});

test('a link has the names of one network; who lets go of it makes room in the same batch', async (t) => {
  const { driver } = made(t);
  await driver.apply([s.create(zone)], never);
  const rival = s.dnsZone({ name: 'rival' });
  const [refused] = await driver.apply([s.create(rival)], never);
  assert.ok(!refused!.ok && refused.error.code === 'object.exists' && refused.error.field === 'link');
  const results = await driver.apply([s.remove(zone), s.create(rival)], never);
  assert.ok(results.every(({ ok }) => ok));
});

test('a refused step takes nothing away: not a zone that is damaged, and nothing outside the folder', async (t) => {
  const { driver, resolvers, folder } = made(t);
  await driver.apply([zone, web].map(s.create), never);
  writeFileSync(resolvers.files('contract').names, '');
  resolvers.calls.length = 0;
  const [orphan] = await driver.apply([s.create(web)], never);
  assert.ok(!orphan!.ok && orphan.error.code === 'object.dependency');
  assert.deepEqual(resolvers.calls, []);
  assert.ok(existsSync(resolvers.files('contract').zone));
  const beside = join(folder, '..', 'vrouter-names-beside');
  writeFileSync(beside, 'x');
  t.after(() => rmSync(beside, { force: true }));
  for (const name of ['../vrouter-names-beside', '..', '.', '', 'a/../../b']) {
    const [created, removed] = await driver.apply(
      [s.create(s.dnsZone({ name })), s.remove(s.dnsZone({ name }))],
      never,
    );
    assert.ok(!created!.ok && created.error.code === 'name.invalid');
    assert.equal(removed!.ok, true);
    assert.deepEqual(await driver.observe([`dnsZone/${name}` as ObjectKey], never), []);
  }
  assert.equal(readFileSync(beside, 'utf8'), 'x');
});

test('a longer domain does not make names too long', async (t) => {
  const { driver } = made(t);
  const label = 'l'.repeat(60);
  const long = s.dnsRecord({ name: [label, label, label].join('.') });
  await driver.apply([zone, long].map(s.create), never);
  const [result] = await driver.apply([s.create(s.dnsZone({ domain: `${label}.${label}` }))], never);
  assert.ok(!result!.ok && result.error.code === 'name.invalid');
  assert.deepEqual(result.now?.object, zone);
});

test('a folder that cannot be written is told; one with odd characters is refused at once', async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'vrouter-names-')), 'file');
  t.after(() => rmSync(join(folder, '..'), { recursive: true }));
  writeFileSync(folder, '');
  const driver = new DnsmasqDriver({ folder, reader: null }, new FakeResolvers(folder));
  const [result] = await driver.apply([s.create(zone)], never).catch((thrown) => [thrown as ProblemError]);
  const error = result instanceof ProblemError ? result.problem : result!.ok ? null : result!.error;
  assert.equal(error?.code, 'data.unwritable');
  for (const odd of ['/tmp/a b', '/tmp/a#b', 'relative', '/tmp/a"b', '/tmp/a\nb'])
    assert.throws(() => new DnsmasqDriver({ folder: odd, reader: null }, new FakeResolvers(odd)), /config\.invalid/);
});

test('an aborted batch does nothing', async (t) => {
  const { driver, resolvers } = made(t);
  const [result] = await driver.apply([s.create(zone)], AbortSignal.abort());
  assert.ok(!result!.ok && result.error.code === 'timeout');
  assert.deepEqual(resolvers.calls, []);
});
