/** Items 12 to 18: what passes, by curl and sockets of real hosts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { router, sysctl } from '../nftables/places.ts';
import { HTTP_PORT } from './host.ts';
import { tried } from './items.ts';
import { A1, A2, B1, BLUE, curl, GREEN, OUTSIDE, picture, ROUTER, until } from './lab.ts';
import { fails, succeeds, twoVlans, unchanged, type World } from './world.ts';

const forwards = (): boolean => readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8') === '1\n';

export async function traffic(world: World): Promise<void> {
  const { older, lab } = world;
  const { outside, a1, a2, b1 } = lab;
  const map = (hostPort: number, containerPort: number, more: object = {}) =>
    older.addPortMapping({ vlanId: 100, containerIp: A1, containerPort, hostPort, protocol: 'tcp', ...more });

  await tried(12, async () => {
    await twoVlans(world);
    assert.equal(await a1.tcp(OUTSIDE, 8080), `outside ${ROUTER}`);
    assert.equal(await a1.udp(OUTSIDE, 9999), `outside ${ROUTER}`);
    assert.equal(await b1.tcp(OUTSIDE, 8080), `outside ${ROUTER}`);
    assert.equal(curl(a1, `http://${OUTSIDE}:${HTTP_PORT}/`), `outside ${ROUTER}`);
    assert.equal(await a2.tcp(A1, 80), `a1 ${A2}`);
    assert.equal(await a2.udp(A1, 9999), `a1 ${A2}`);
    assert.ok(forwards());
    sysctl('net.ipv4.ip_forward', '0');
    await until('forwarding is on again', forwards);
    assert.equal(await a1.tcp(OUTSIDE, 8080), `outside ${ROUTER}`);
  });

  await tried(13, async () => {
    const asked = [
      b1.tcp(A1, 80),
      b1.tcp(A1, 9999),
      b1.udp(A1, 9999),
      a1.tcp(B1, 80),
      outside.tcp(A1, 80),
      outside.udp(A1, 9999),
      outside.tcp(B1, 9999),
    ];
    assert.deepEqual(
      await Promise.all(asked),
      asked.map(() => 'nothing'),
    );
  });

  await tried(14, async () => {
    await twoVlans(world);
    await succeeds(map(8080, 80));
    await succeeds(map(8000, HTTP_PORT));
    await succeeds(map(5300, 9999, { protocol: 'UDP' }));
    const rows: readonly (readonly [string, Promise<string> | string, string])[] = [
      ['outside, TCP', outside.tcp(ROUTER, 8080), `a1 ${OUTSIDE}`],
      ['outside, UDP', outside.udp(ROUTER, 5300), `a1 ${OUTSIDE}`],
      ['the router itself', router.tcp(ROUTER, 8080, { patienceMs: 1500 }), `a1 ${ROUTER}`],
      ['the router itself, UDP', router.udp(ROUTER, 5300, { patienceMs: 1500 }), `a1 ${ROUTER}`],
      ['the router by 127.0.0.1', router.tcp('127.0.0.1', 8080, { patienceMs: 1500 }), `a1 ${BLUE.gateway}`],
      ['another VLAN', b1.tcp(ROUTER, 8080), `a1 ${B1}`],
      ['another VLAN, UDP', b1.udp(ROUTER, 5300), `a1 ${B1}`],
      ['another VLAN by its own gateway', b1.tcp(GREEN.gateway, 8080), `a1 ${B1}`],
      ['a neighbour', a2.tcp(ROUTER, 8080), `a1 ${BLUE.gateway}`],
      ['a neighbour, UDP', a2.udp(ROUTER, 5300), `a1 ${BLUE.gateway}`],
      ['the container itself', a1.tcp(ROUTER, 8080), `a1 ${BLUE.gateway}`],
      ['the container itself, UDP', a1.udp(ROUTER, 5300), `a1 ${BLUE.gateway}`],
      ['the container itself by its gateway', a1.tcp(BLUE.gateway, 8080), `a1 ${BLUE.gateway}`],
    ];
    const told = await Promise.all(rows.map(async ([who, said]) => `${who}: ${await said}`));
    assert.deepEqual(
      told,
      rows.map(([who, , wanted]) => `${who}: ${wanted}`),
    );
    assert.equal(curl(outside, `http://${ROUTER}:8000/`), `a1 ${OUTSIDE}`);
    assert.equal(curl(null, 'http://127.0.0.1:8000/'), `a1 ${BLUE.gateway}`);
  });

  await tried(15, async () => {
    await succeeds(map(443, 443));
    const asked = [a1.tcp(OUTSIDE, 443), a2.tcp(OUTSIDE, 443), b1.tcp(OUTSIDE, 443), outside.tcp(ROUTER, 443)];
    const through = `outside ${ROUTER}`;
    assert.deepEqual(await Promise.all(asked), [through, through, through, `a1 ${OUTSIDE}`]);
  });

  await tried(16, async () => {
    const remove = (hostPort: number, protocol: string) => older.removePortMapping({ hostPort, protocol });
    await succeeds(map(80, 80));
    await succeeds(older.configureDNS({ vlanId: 100, hosts: { web: A1 } }));
    // Though our own resolver listens there.
    await succeeds(map(53, 80));
    await succeeds(map(53, 9999, { protocol: 'udp' }));
    await succeeds(remove(80, 'Tcp'));
    await succeeds(remove(53, 'TCP'));
    const asked = [outside.tcp(ROUTER, 80), outside.tcp(ROUTER, 8080), outside.udp(ROUTER, 53)];
    assert.deepEqual(await Promise.all(asked), ['refused', `a1 ${OUTSIDE}`, `a1 ${OUTSIDE}`]);
    const before = picture();
    await succeeds(remove(80, 'tcp'));
    await succeeds(remove(7777, 'udp'));
    for (const protocol of ['sctp', '', 'tcp ', 'icmp']) {
      await fails(remove(8080, protocol), /protocol/);
      await fails(map(8090, 80, { protocol }), /protocol/);
    }
    unchanged(before, picture());
    await succeeds(remove(53, 'udp'));
  });

  await tried(17, async () => {
    const before = picture();
    await fails(map(8080, 81), /8080 leads to 172\.18\.0\.2:80/);
    await fails(map(8080, 80, { containerIp: A2 }), /8080 leads to 172\.18\.0\.2:80/);
    await succeeds(map(8080, 80));
    unchanged(before, picture());
    assert.equal(await outside.tcp(ROUTER, 8080), `a1 ${OUTSIDE}`);
  });

  await tried(18, async () => {
    const before = picture();
    for (const port of [0, 65_536, 4_294_967_295]) {
      await fails(map(port, 80), new RegExp(`host_port.*${port}`));
      await fails(map(8091, port), new RegExp(`container_port.*${port}`));
    }
    for (const containerIp of [
      '',
      '172.18.0.2-172.18.0.9',
      'fd18::2',
      '::ffff:172.18.0.2',
      'web',
      '172.18.0.256',
      '0.0.0.0',
      '172.18.0.2/16',
    ])
      await fails(map(8091, 80, { containerIp }), /container_ip/);
    for (const containerIp of [BLUE.gateway, GREEN.gateway, B1, ROUTER, OUTSIDE, '172.18.0.0', '172.18.255.255'])
      await fails(map(8091, 80, { containerIp }), /container_ip/);
    await using server = createServer().listen(8091, '127.0.0.1');
    await once(server, 'listening');
    await fails(map(8091, 80), /host_port: .*listens at tcp port 8091 of 127\.0\.0\.1 .*port\.inUse/);
    unchanged(before, picture());
  });
}
