/** Names of networks with real dnsmasq, dig and hosts: who is answered, what, and how soon. Numbers are those of the acceptance list. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { A, AAAA } from './message.ts';
import { DnsWorld, green, record, skip, zone } from './world.ts';

describe('names of networks', { skip }, () => {
  const world = new DnsWorld();
  before(() => world.start(), { timeout: 30_000 });
  after(() => world.stop());

  test('19: A, AAAA and PTR by UDP and TCP, with the domain and without, in any case; other types are empty', async () => {
    await world.make(
      zone(),
      record('web', '172.18.0.5'),
      record('web', 'fd18::5'),
      record('db', '172.18.0.6'),
      record('alias', '172.18.0.5'),
    );
    for (const over of ['+notcp', '+tcp'])
      for (const server of ['172.18.0.1', 'fd18::1']) {
        const dig = (...words: readonly string[]) => world.dig('b', server, over, ...words);
        assert.deepEqual(dig('web', 'A'), { status: 'NOERROR', answers: ['web. 0 IN A 172.18.0.5'] });
        assert.deepEqual(dig('WeB.Blue.EXAMPLE', 'AAAA').answers, ['WeB.Blue.EXAMPLE. 0 IN AAAA fd18::5']);
        assert.deepEqual(dig('-x', '172.18.0.5').answers, ['5.0.18.172.in-addr.arpa. 0 IN PTR alias.']);
        assert.match(dig('-x', 'fd18::5').answers[0]!, / 0 IN PTR web\.$/);
        for (const type of ['AAAA', 'MX', 'TXT', 'SRV', 'HTTPS', 'SOA', 'NS'])
          for (const name of ['db', 'db.blue.example'])
            assert.deepEqual(dig(name, type), { status: 'NOERROR', answers: [] }, `${type} of ${name}`);
        for (const name of ['nobody', 'nobody.blue.example', 'x.web.blue.example'])
          assert.deepEqual(dig(name, 'A'), { status: 'NXDOMAIN', answers: [] }, name);
      }
  });

  test('19, 23: answers are right when apply has resolved, both ways, and soon', async () => {
    const times: number[] = [];
    for (let round = 0; round < 50; round++) {
      const made = record(`r${round}`, `172.18.1.${round}`);
      await world.make(made);
      const began = performance.now();
      assert.deepEqual((await world.ask('b', '172.18.0.1', made.name, A))?.data, [made.data]);
      times.push(performance.now() - began);
      await world.unmake(made);
      assert.equal((await world.ask('b', '172.18.0.1', made.name, A))?.rcode, 3);
    }
    assert.ok(Math.max(...times) < 100, `${times}`);
  });

  test('20: another network is answered by its own gateway alone, and from its own names', async () => {
    await world.make(green(), record('web', '172.19.0.7', 'green'));
    assert.deepEqual((await world.ask('g', '172.19.0.1', 'web', A))?.data, ['172.19.0.7']);
    assert.deepEqual((await world.ask('b', '172.18.0.1', 'web', A))?.data, ['172.18.0.5']);
    assert.equal((await world.ask('g', '172.19.0.1', 'db', A))?.rcode, 3);
    // Forwarding is on: its packets do get to the other gateway's address.
    for (const server of ['172.18.0.1', 'fd18::1'])
      for (const over of ['+notcp', '+tcp'])
        assert.deepEqual(world.dig('g', server, over, 'web'), { status: null, answers: [] }, `${server} ${over}`);
    assert.equal(world.dig('u', '172.18.0.1', 'web').status, null);
    // The host itself may ask all.
    assert.deepEqual((await world.ask('router', '172.18.0.1', 'web', A))?.data, ['172.18.0.5']);
    assert.equal((await world.ask('router', 'fd19::1', 'web', AAAA))?.rcode, 0);
  });
});
