/** Names that are not ours: who is asked for them, in which order, and who is not. And names that must not be. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { objectKey } from '@vrouter/intent/model/objects.ts';
import { A, AAAA, MX } from './message.ts';
import { create, DnsWorld, record, remove, skip, until, zone } from './world.ts';

const BLUE = '172.18.0.1';

describe('names of others', { skip }, () => {
  const world = new DnsWorld();
  const logs: { [name: string]: string } = {};
  before(
    async () => {
      await world.start();
      for (const [name, port, address] of [
        ['first', 53, '203.0.113.1'],
        ['second', 5353, '203.0.113.2'],
        ['third', 5354, '203.0.113.3'],
      ] as const) {
        const lines = [`port=${port}`, 'bind-interfaces', 'listen-address=192.0.2.2', 'listen-address=fd02::2'];
        const { log } = await world.upstream(
          'u',
          name,
          ...lines,
          `address=/#/${address}`,
          ...Array.from({ length: 8 }, (_, i) => `txt-record=big.example.org,${String(i).repeat(250)}`),
        );
        logs[name] = log;
      }
    },
    { timeout: 30_000 },
  );
  after(() => world.stop());
  const set = async (over: Parameters<typeof zone>[0]): Promise<void> => {
    const [result] = await world.apply(create(zone(over)));
    assert.ok(result!.ok, JSON.stringify(result));
  };
  const addressOf = async (name: string): Promise<string | undefined> => (await world.ask('b', BLUE, name, A))?.data[0];

  test('21: names of others come from the servers of the network, in their order, IPv6 and ports among them', async () => {
    await world.make(zone({ upstreams: ['192.0.2.2:5353', '192.0.2.2'] }), record('web', '172.18.0.5'));
    assert.equal(await addressOf('www.example.org'), '203.0.113.2');
    assert.equal(await addressOf('again.example.org'), '203.0.113.2');
    await set({ upstreams: ['[fd02::2]:5354', '192.0.2.2'] });
    assert.equal(await addressOf('www.example.org'), '203.0.113.3', 'what was known from others before is forgotten');
    await set({ upstreams: ['fd02::2'] });
    assert.equal(await addressOf('www.example.org'), '203.0.113.1');
    const big = world.dig('b', BLUE, 'big.example.org', 'TXT');
    assert.equal(big.status, 'NOERROR');
    assert.match(big.answers.join(), /7{250}/, 'by TCP, where it does not fit');
  });

  test('21: a server that does not answer is passed over', async () => {
    await set({ upstreams: ['192.0.2.2:9', '192.0.2.2'] });
    await until(async () => (await addressOf('www.example.org')) === '203.0.113.1', 5000);
  });

  test('21: a server that refuses is passed over at once, and so is one that would be ourselves', async () => {
    await world.upstream('u', 'refusing', 'port=5356', 'bind-interfaces', 'listen-address=192.0.2.2');
    for (const first of ['192.0.2.2:5356', BLUE]) {
      await set({ upstreams: [first, '192.0.2.2'] });
      const began = performance.now();
      assert.equal(await addressOf('www.example.org'), '203.0.113.1', first);
      assert.ok(performance.now() - began < 500);
    }
  });

  test('21: our own names never go out, known or not, whatever the type', async () => {
    await set({ upstreams: ['192.0.2.2'] });
    const questions = ['web', 'web.blue.example', 'nobody', 'nobody.blue.example', 'a.b.blue.example', 'blue.example'];
    for (const name of questions)
      for (const type of ['A', 'AAAA', 'MX', 'HTTPS', 'DS'])
        assert.notEqual(world.dig('b', BLUE, name, type).status, null);
    assert.deepEqual(world.dig('b', BLUE, 'web', 'HTTPS'), { status: 'NOERROR', answers: [] });
    assert.equal(world.dig('b', BLUE, 'nobody', 'HTTPS').status, 'NXDOMAIN');
    assert.doesNotMatch(readFileSync(logs.first!, 'utf8'), /\] (web|nobody|\S*blue\.example) /);
  });

  test('a known name outside the domain is ours whatever is asked for, what is below it is not', async () => {
    const [alias, inside] = [record('api.example.org', '172.18.0.6'), record('a.b.blue.example', '172.18.0.7')];
    await world.make(alias, inside);
    assert.equal(await addressOf('api.example.org'), '172.18.0.6');
    assert.equal(await addressOf('api.example.org.blue.example'), '172.18.0.6');
    for (const type of [AAAA, MX]) {
      const answer = await world.ask('b', BLUE, 'api.example.org', type);
      assert.deepEqual([answer?.rcode, answer?.data], [0, []]);
    }
    assert.equal(await addressOf('www.api.example.org'), '203.0.113.1');
    assert.equal((await world.ask('b', BLUE, 'x.a.b.blue.example', A))?.rcode, 3);
    await world.unmake(alias, inside);
    assert.equal(await addressOf('api.example.org'), '203.0.113.1');
  });

  test('addresses inside, told by a server outside, are passed on: that is not ours to judge', async () => {
    await world.upstream(
      'u',
      'inner',
      'port=5355',
      'bind-interfaces',
      'listen-address=192.0.2.2',
      'address=/#/10.0.0.9',
    );
    await set({ upstreams: ['192.0.2.2:5355'] });
    assert.equal(await addressOf('intranet.example.org'), '10.0.0.9');
  });

  test('21: whom the host asks, as it changes; without a change of ours', async () => {
    await set({ upstreams: null });
    assert.equal(await addressOf('www.example.org'), '203.0.113.1');
    await world.upstream('g', 'elsewhere', 'bind-interfaces', 'listen-address=172.19.0.2', 'address=/#/203.0.113.9');
    writeFileSync(world.resolvConf, 'search example.com\nnameserver 172.19.0.2\noptions edns0\n');
    await until(async () => (await addressOf('www.example.org')) === '203.0.113.9', 5000);
    assert.equal(await addressOf('web'), '172.18.0.5');
  });

  test('21: a network that asks nobody says at once that there is no such name', async () => {
    await set({ upstreams: [] });
    const at = statSync(logs.first!).size;
    for (const name of ['www.example.org', 'com', 'web.example.org'])
      for (const type of ['A', 'AAAA', 'MX'])
        assert.deepEqual(world.dig('b', BLUE, name, type), { status: 'NXDOMAIN', answers: [] });
    assert.deepEqual(world.dig('b', BLUE, '-x', '203.0.113.1'), { status: 'NXDOMAIN', answers: [] });
    assert.equal(await addressOf('web.blue.example'), '172.18.0.5');
    assert.equal(statSync(logs.first!).size, at);
  });

  test('22: a bad name, address or server is refused, nothing of it is written, the rest of the batch is done', async () => {
    const files = (): string => readdirSync(world.folder, { recursive: true, encoding: 'utf8' }).sort().join(' ');
    const folder = join(world.folder, 'blue');
    const texts = (): string =>
      ['names', 'forwarders', 'dnsmasq.conf', 'zone.json']
        .map((file) => readFileSync(join(folder, file), 'utf8'))
        .join();
    const [before, filesBefore] = [texts(), files().replaceAll(/marks\/\d+/g, '')];
    const label = 'l'.repeat(63);
    const names = [
      'a\nb',
      'a\n172.18.0.1 b',
      'a,b',
      'a b',
      'a\tb',
      'a=b',
      'a#b',
      '',
      '.',
      'a..b',
      '.a',
      'a.',
      `${label}l`,
      [label, label, label, label, 'x'].join('.'),
      'A',
      'ä',
      'a*',
      '*',
      'a/b',
      'a"b',
      'a\0b',
      'a\r',
      '$x',
      '`id`',
      'a\\b',
    ];
    for (const name of names) {
      const [result] = await world.apply(create(record(name, '172.18.0.66')));
      assert.ok(!result!.ok && result.now === null, name);
      assert.equal(result.error.code, 'name.invalid', name);
    }
    const refusedZones = [
      { domain: 'a\nserver=1.2.3.4' },
      { domain: 'a b' },
      { domain: 'a/b' },
      { domain: '' },
      { link: 'blue\nlog-queries' },
      { link: 'bl ue' },
      { link: '*' },
      { name: '../x' },
      { name: 'a/b' },
      { name: '' },
      { name: '.' },
    ];
    for (const over of refusedZones) {
      const [result] = await world.apply(create(zone(over)));
      assert.ok(!result!.ok, JSON.stringify(over));
      assert.equal(result.error.code, 'name.invalid', JSON.stringify(over));
    }
    for (const over of [
      { upstreams: ['1.2.3.4\nserver=5.6.7.8'] },
      { upstreams: ['dns.example'] },
      { upstreams: ['1.2.3.4#53'] },
      { listen: ['172.18.0.1\n'] },
    ]) {
      const [result] = await world.apply(create(zone(over)));
      assert.ok(!result!.ok && result.error.code === 'address.invalid', JSON.stringify(over));
    }
    for (const [data, type] of [
      ['172.18.0.5 evil', 'A'],
      ['172.18.0.5\n', 'A'],
      ['172.18.0.5', 'AAAA'],
      ['fd18::5', 'A'],
      ['FD18::5', 'AAAA'],
      ['', 'A'],
      ['172.18.0.0/24', 'A'],
      ['fe80::1%eth0', 'AAAA'],
    ] as const) {
      const [result] = await world.apply(create({ kind: 'dnsRecord', zone: 'blue', name: 'x', data, type }));
      assert.ok(!result!.ok && result.error.code === 'address.invalid', data);
    }
    for (const key of ['../blue', 'a/b', '', '..']) {
      const [result] = await world.apply(remove(zone({ name: key })));
      assert.ok(result!.ok);
    }
    assert.equal(texts(), before);
    assert.equal(files().replaceAll(/marks\/\d+/g, ''), filesBefore);
    const [bad, good] = await world.apply(create(record('a b', '172.18.0.66')), create(record('good', '172.18.0.67')));
    assert.deepEqual([bad!.ok, good!.ok], [false, true]);
    assert.equal(await addressOf('good'), '172.18.0.67');
    assert.equal(await addressOf('web'), '172.18.0.5');
    assert.deepEqual((await world.observe([objectKey(zone())]))[0]?.object, zone({ upstreams: [] }));
  });

  test('names as long as they may be, with digits, dashes and underscores', async () => {
    const label = 'l'.repeat(63);
    const names = [label, `${label}.${label}.${label}`, '_dmarc', '1', '10.0.0.1', '-a-', 'xn--bcher-kva'];
    await world.make(...names.map((name, i) => record(name, `172.18.3.${i}`)));
    for (const [i, name] of names.entries()) {
      assert.equal(await addressOf(name), `172.18.3.${i}`, name);
      assert.equal(await addressOf(`${name}.blue.example`), `172.18.3.${i}`, name);
    }
    const tooLong = record(`${label}.${label}.${label}.${'l'.repeat(50)}`, '172.18.3.9');
    const [result] = await world.apply(create(tooLong));
    assert.ok(!result!.ok && result.error.code === 'name.invalid');
  });

  test('it runs as a user of its own, with the right to bind low ports and no other; files are nobody else’s', async () => {
    const { pid } = (await world.health())[0]!;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.match(status, /^Uid:\t(?!0\t)(\d+)\t\1\t\1\t\1$/m);
    for (const set of ['CapPrm', 'CapEff']) assert.match(status, new RegExp(`^${set}:\\t0000000000000400$`, 'm'));
    assert.match(status, /^CapInh:\t0+$/m);
    const folder = join(world.folder, 'blue');
    const mode = (...path: readonly string[]): string => (statSync(join(folder, ...path)).mode & 0o777).toString(8);
    assert.equal(mode(), '711');
    for (const file of ['zone.json', 'dnsmasq.conf', 'process.json', 'log']) assert.equal(mode(file), '600', file);
    for (const file of ['names', 'forwarders']) assert.equal(mode(file), '400', file);
    assert.equal(statSync(folder).uid, 0);
  });

  test('names that its user may not read are told, and not taken for true', async () => {
    chmodSync(world.folder, 0o700);
    const [refused] = await world.apply(create(record('unread', '172.18.0.70')));
    assert.ok(!refused!.ok && refused.now === null);
    assert.match(refused.error.message, /cannot read its names: .*Permission denied/);
    assert.deepEqual(await world.observe(), []);
    chmodSync(world.folder, 0o711);
    await world.make(record('unread', '172.18.0.70'));
    assert.equal(await addressOf('unread'), '172.18.0.70');
  });

  test('a port that somebody else has is told, and taken when it is free', async () => {
    await world.unmake(zone());
    const rival = world.rival('router', BLUE);
    await rival.there;
    const [result] = await world.apply(create(zone()));
    assert.ok(!result!.ok);
    assert.equal(result.error.code, 'port.inUse');
    assert.match(result.error.message, /Address already in use/);
    assert.deepEqual(await world.observe(), []);
    const [sick] = await world.health();
    assert.ok(!sick!.up && /in use/.test(sick!.lastError ?? ''));
    rival.end();
    await until(async () => (await world.health())[0]!.up, 10_000);
    assert.equal((await world.ask('b', BLUE, 'nobody', A))?.rcode, 3);
  });
});
