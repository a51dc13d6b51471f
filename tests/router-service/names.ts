/** Items 19 to 23: names, by dig. */
import assert from 'node:assert/strict';
import type { FloodReport } from '../dns/flood.ts';
import { tried } from './items.ts';
import { A1, A2, B1, BLUE, dig, digAll, GREEN, picture } from './lab.ts';
import { fails, succeeds, twoVlans, unchanged, type World } from './world.ts';

export async function names(world: World): Promise<void> {
  const { older, lab } = world;
  const { a1, b1 } = lab;
  const blue = (...words: readonly string[]) => dig(a1, BLUE.gateway, ...words);
  const green = (...words: readonly string[]) => dig(b1, GREEN.gateway, ...words);

  await tried(19, async () => {
    await twoVlans(world);
    await succeeds(older.configureDNS({ vlanId: 100, hosts: { web: A1, db: A2 } }));
    // The first question after the reply, once.
    assert.deepEqual(blue('web'), { status: 'NOERROR', answers: [`A ${A1}`] });
    await succeeds(older.configureDNS({ vlanId: 100, hosts: { cache: A2 } }));
    const rows: readonly (readonly [asked: readonly string[], status: string, ...answers: string[]])[] = [
      [['cache', '+tcp'], 'NOERROR', `A ${A2}`],
      [['WeB'], 'NOERROR', `A ${A1}`],
      [['-x', A1], 'NOERROR', 'PTR web.'],
      [['-x', A1, '+tcp'], 'NOERROR', 'PTR web.'],
      [['web', 'AAAA'], 'NOERROR'],
      [['web', 'MX'], 'NOERROR'],
      [['web', 'TXT'], 'NOERROR'],
      [['unknown'], 'NXDOMAIN'],
    ];
    assert.deepEqual(
      digAll(a1, BLUE.gateway, ...rows.map(([asked]) => asked)),
      rows.map(([, status, ...answers]) => ({ status, answers })),
    );
    await succeeds(older.configureDNS({ vlanId: 100, hosts: { db: A1 } }));
    assert.deepEqual(blue('db').answers, [`A ${A1}`], 'the same name again has the other address');
    await succeeds(older.configureDNS({ vlanId: 100, hosts: {} }));
    assert.deepEqual(blue('web').answers, [`A ${A1}`]);
  });

  await tried(20, async () => {
    await succeeds(older.configureDNS({ vlanId: 101, hosts: { web: B1 } }));
    assert.deepEqual(blue('web').answers, [`A ${A1}`]);
    assert.deepEqual(green('web').answers, [`A ${B1}`]);
    assert.deepEqual(green('db'), { status: 'NXDOMAIN', answers: [] });
    assert.equal(dig(b1, BLUE.gateway, 'db').status, null, 'nor by the other gateway');
    assert.equal(dig(lab.outside, BLUE.gateway, 'db').status, null);
    await b1.say({ ask: 'flood', address: GREEN.gateway, names: ['web'] });
    for (let i = 0; i < 5; i++) await succeeds(older.configureDNS({ vlanId: 100, hosts: { [`n${i}`]: A2 } }));
    const report = JSON.parse(await b1.say({ ask: 'stop' })) as FloodReport;
    assert.ok(report.sent > 20, `${report.sent} questions`);
    assert.equal(report.lost, 0);
    assert.deepEqual(Object.keys(report.seen.web ?? {}), [B1]);
  });

  await tried(21, async () => {
    assert.deepEqual(blue('www.example.org'), { status: 'NOERROR', answers: ['A 198.51.100.7'] });
    assert.deepEqual(green('+tcp', 'www.example.org').answers, ['A 198.51.100.7']);
    await succeeds(older.configureDNS({ vlanId: 100, domain: 'blue.docker.internal', hosts: {} }));
    assert.deepEqual(blue('web').answers, [`A ${A1}`]);
    assert.deepEqual(blue('web.blue.docker.internal').answers, [`A ${A1}`]);
    assert.deepEqual(blue('other.blue.docker.internal').status, 'NXDOMAIN');
    assert.deepEqual(green('web.blue.docker.internal').answers, []);
  });

  await tried(22, async () => {
    const before = picture();
    const long = 'a'.repeat(63);
    const bad = [
      '',
      'a\nb',
      'a\ndhcp-script=/bin/false',
      'a,b',
      'a b',
      'a=b',
      'a#b',
      'a..b',
      '.',
      `${long}a`,
      [long, long, long, long, 'a'].join('.'),
      'grün',
      '*',
    ];
    for (const name of bad) await fails(older.configureDNS({ vlanId: 100, hosts: { good: A1, [name]: A1 } }), /hosts/);
    for (const address of ['', 'web', '172.18.0.2\nserver=192.0.2.9', '172.18.0.2/16', '0.0.0.0'])
      await fails(older.configureDNS({ vlanId: 100, hosts: { good: address } }), /hosts/);
    await fails(older.configureDNS({ vlanId: 100, domain: 'a\nb', hosts: { good: A1 } }), /domain/);
    unchanged(before, picture());
    assert.equal(blue('good').status, 'NXDOMAIN');
  });

  await tried(23, async () => {
    await fails(older.configureDNS({ vlanId: 200, hosts: { early: A1 } }), /200/);
    await succeeds(older.createVLAN({ vlanId: 200, subnet: '10.200.0.0/24', gateway: '10.200.0.1' }));
    assert.equal(dig(null, '10.200.0.1', 'early').status, 'NXDOMAIN', 'nothing of it was stored');
    await succeeds(older.deleteVLAN({ vlanId: 200 }));
    await succeeds(older.deleteVLAN({ vlanId: 101 }));
    assert.equal(green('web').status, null);
    assert.deepEqual(dig(null, BLUE.gateway, 'web').answers, [`A ${A1}`]);
    await succeeds(older.createVLAN(GREEN));
    assert.equal(green('web').status, 'NXDOMAIN');
  });
}
