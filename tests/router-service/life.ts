/** Items 24 to 27: the service is killed, hurried and hindered. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip, run, sysctl } from '../nftables/places.ts';
import { programPath } from '../world/needs.ts';
import { HTTP_PORT } from './host.ts';
import { tried } from './items.ts';
import {
  A1,
  B1,
  BLUE,
  dig,
  foreign,
  GREEN,
  linkOf,
  OUTSIDE,
  picture,
  ROUTER,
  resolverOf,
  sh,
  UPLINK,
  until,
} from './lab.ts';
import { type Answer, beginAgain, fails, succeeds, twoVlans, unchanged, type World } from './world.ts';

const IPERF_PORT = 5201;
const DOWNLOAD = '/run/download';
const bytesSoFar = (): number => statSync(DOWNLOAD, { throwIfNoEntry: false })?.size ?? 0;

export async function life(world: World): Promise<void> {
  const { lab } = world;
  const map = (hostPort: number, containerPort: number) =>
    world.older.addPortMapping({ vlanId: 100, containerIp: A1, containerPort, hostPort, protocol: 'tcp' });
  const unwell = async (says: RegExp): Promise<void> => {
    let status = '';
    await until(`health says ${says}`, async () => {
      const health = await world.older.getHealth({});
      status = health.status;
      return !health.healthy && says.test(status);
    }).catch((thrown: Error) => assert.fail(`${thrown.message}: ${status}`));
  };
  const well = (): Promise<void> =>
    until('health is good again', async () => (await world.older.getHealth({})).healthy, 70_000);

  await tried(24, async () => {
    await twoVlans(world);
    await succeeds(world.newer.createVLAN({ ...GREEN, enableNat: false }));
    await succeeds(world.older.configureDNS({ vlanId: 100, domain: 'blue.test', hosts: { web: A1 } }));
    await succeeds(map(8000, HTTP_PORT));
    await succeeds(map(IPERF_PORT, IPERF_PORT));
    const before = picture();
    const { vlans } = await world.older.listVLANs({});
    const [server, client, download] = traffic();
    let told = '';
    client.stdout!.on('data', (text) => (told += text));
    try {
      await until('both are under way', () => bytesSoFar() > 0 && /\d +sec/.test(told));
      await world.service.kill();
      const [bytes, lines] = [bytesSoFar(), told.split('\n').length];
      await sleep(1500);
      assert.ok(bytesSoFar() > bytes && told.split('\n').length > lines, 'traffic goes on without us');
      unchanged(before, picture());
      assert.deepEqual(dig(lab.a1, BLUE.gateway, 'web').answers, [`A ${A1}`], 'and names are answered');
      const upTo = bytesSoFar();
      await beginAgain(world);
      await well();
      unchanged(before, picture());
      assert.deepEqual((await world.older.listVLANs({})).vlans, vlans);
      assert.ok(bytesSoFar() > upTo);
      assert.equal(download.exitCode, null, 'the download goes on');
      assert.equal(client.exitCode, null, 'and iperf3');
      assert.doesNotMatch(told, / 0\.00 bits\/sec/);
    } finally {
      for (const child of [download, client, server]) child.kill('SIGKILL');
    }
    assert.equal(await lab.outside.tcp(ROUTER, 8000, { patienceMs: 300 }), 'nothing', 'HTTP waits for its question');
    assert.equal(await lab.b1.tcp(OUTSIDE, 80), `outside ${B1}`, 'NAT is still off there');
    await succeeds(world.older.removePortMapping({ hostPort: IPERF_PORT, protocol: 'tcp' }));
    assert.equal(await lab.outside.tcp(ROUTER, IPERF_PORT), 'refused', 'and it can be changed');
    unchanged(foreign.before, foreign.now());
  });

  await tried(25, async () => {
    await twoVlans(world);
    const slowest = { ms: 0 };
    let done = false;
    const health = (async () => {
      for (; !done; await sleep(20)) {
        const began = performance.now();
        await world.newer.getHealth({});
        slowest.ms = Math.max(slowest.ms, performance.now() - began);
      }
    })();
    await Promise.all(Array.from({ length: 100 }, (_, i) => oneOfMany(world, i)));
    done = true;
    await health;
    console.log(`# health took ${Math.round(slowest.ms)} ms at most, on an emulated machine`);
    await well();
    const { vlans } = await world.older.listVLANs({});
    const links = ip('-o link show type vlan')
      .match(/eth0\.\d+(?=@)/g)!
      .filter((name) => name !== FOREIGN_VLAN);
    assert.deepEqual(links.sort(), vlans.map(({ interfaceName }) => interfaceName).sort());
    for (const { vlanId, gateway } of vlans)
      assert.equal(linkOf(`${UPLINK}.${vlanId}`)!.addr_info.find(({ family }) => family === 'inet')!.local, gateway);
    const inside = new Set(vlans.map(({ vlanId }) => vlanId));
    for (const [, id] of picture().matchAll(/\b10\.0\.(\d+)\.9\b/g))
      assert.ok(inside.has(Number(id)), `a port or a name of VLAN ${id}, which is not there`);
  });

  await tried(26, async () => {
    await twoVlans(world);
    const first = await world.older.getHealth({});
    assert.deepEqual([first.healthy, first.status, first.activeVlans], [true, 'running', 2]);
    await sleep(1100);
    const later = await world.older.getHealth({});
    assert.ok(later.uptimeSeconds > first.uptimeSeconds && later.uptimeSeconds < 3600n);
    // Another has our table.
    run('nft -f -', 'delete table inet vrouter\ntable inet vrouter { comment "theirs"\n}\n');
    await unwell(/inet vrouter/);
    const before = picture();
    await fails(
      world.older.createVLAN({ vlanId: 130, subnet: '10.130.0.0/24', gateway: '10.130.0.1' }),
      /inet vrouter/,
    );
    unchanged(before, picture());
    run('nft delete table inet vrouter');
    await well();
    // Forwarding cannot be turned on.
    sh(
      'mkdir -p /run/proc; mount -t proc none /run/proc; mount --bind /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_forward',
    );
    sh('mount -o remount,bind,ro /proc/sys/net/ipv4/ip_forward; echo 0 > /run/proc/sys/net/ipv4/ip_forward');
    await unwell(/ip_forward/);
    sh('umount /proc/sys/net/ipv4/ip_forward; echo 1 > /run/proc/sys/net/ipv4/ip_forward');
    await well();
    // Nobody answers names any more.
    const dnsmasq = programPath('dnsmasq')!;
    sh(`mount --bind /dev/null ${dnsmasq}`);
    try {
      process.kill(resolverOf('vlan-100'), 'SIGKILL');
      await unwell(/dnsZone\/vlan-100.*dnsmasq/);
      await fails(world.older.configureDNS({ vlanId: 100, hosts: { late: A1 } }), /dnsZone\/vlan-100.*dnsmasq/);
      assert.equal(dig(lab.b1, GREEN.gateway, 'late').status, 'NXDOMAIN', 'the other network is answered');
    } finally {
      sh(`umount ${dnsmasq}`);
    }
    await well();
    // What could not be taken back then is taken back when it is tried again.
    await until('what failed is not said', () => dig(lab.a1, BLUE.gateway, 'late').status === 'NXDOMAIN', 70_000);
  });

  await tried(27, async () => {
    await twoVlans(world);
    await succeeds(map(8080, 80));
    const { older } = world;
    const other = { vlanId: 140, subnet: '10.140.0.0/24', gateway: '10.140.0.1' };
    const sixth = { vlanId: 141, subnet: 'fd41::/64', gateway: 'fd41::1' };
    // Once as they should be: our table keeps what it has for each length of prefix.
    for (const vlan of [other, sixth]) {
      await succeeds(older.createVLAN(vlan));
      assert.ok(linkOf(`${UPLINK}.${vlan.vlanId}`)!.addr_info.some(({ local }) => local === vlan.gateway));
      await succeeds(older.deleteVLAN(vlan));
    }
    const before = picture();
    await fails(older.createVLAN({ ...BLUE, mtu: 9000 }), /9000/);
    unchanged(before, picture());
    ip('route del default');
    await fails(older.createVLAN(other), /default route/);
    ip(`route add default via ${OUTSIDE}`);
    unchanged(before, picture());
    // A name that another link has.
    ip(`link add ${UPLINK}.140 type veth peer name other140`);
    const taken = picture();
    await fails(older.createVLAN(other), /eth0\.140/);
    unchanged(taken, picture());
    ip(`link del ${UPLINK}.140`);
    // A kernel without IPv6, as far as can be had while it runs.
    for (const scope of ['all', 'default']) sysctl(`net.ipv6.conf.${scope}.disable_ipv6`, '1');
    const without = picture();
    await fails(older.createVLAN(sixth), /fd41/);
    unchanged(without, picture());
    await succeeds(older.createVLAN(other));
    await succeeds(older.deleteVLAN({ vlanId: 140 }));
    for (const scope of ['all', 'default']) sysctl(`net.ipv6.conf.${scope}.disable_ipv6`, '0');
    assert.equal(await lab.outside.tcp(ROUTER, 8080), `a1 ${OUTSIDE}`);
    assert.equal((await older.getHealth({})).status, 'running');
    unchanged(foreign.before, foreign.now());
  });
}

/** A VLAN that is not ours, of our parent. */
const FOREIGN_VLAN = `${UPLINK}.300`;

/** iperf3's server and client, and a download without end, through published ports. */
function traffic(): readonly [ChildProcess, ChildProcess, ChildProcess] {
  const server = spawn('ip', ['netns', 'exec', 'a1', 'iperf3', '-s', '-p', String(IPERF_PORT)], { stdio: 'ignore' });
  const words = [
    '-c',
    ROUTER,
    '-p',
    String(IPERF_PORT),
    '-t',
    '600',
    '-b',
    '200K',
    '-l',
    '4K',
    '-i',
    '1',
    '--forceflush',
  ];
  const client = spawn('sh', ['-c', `sleep 1; exec ip netns exec outside iperf3 ${words.join(' ')}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const download = spawn('ip', [
    'netns',
    'exec',
    'outside',
    'curl',
    '-sN',
    '-o',
    DOWNLOAD,
    `http://${ROUTER}:8000/slow`,
  ]);
  return [server, client, download];
}

/** Creations, names, ports, NAT and deletions of seven VLANs. */
function oneOfMany({ older }: World, i: number): Promise<Answer> {
  const vlanId = 150 + (i % 7);
  const address = `10.0.${vlanId}.9`;
  switch (i % 5) {
    case 4:
      return older.deleteVLAN({ vlanId });
    case 3:
      return older.configureDNS({ vlanId, hosts: { [`n${i}`]: address } });
    case 2:
      return older.addPortMapping({
        vlanId,
        containerIp: address,
        containerPort: 80,
        hostPort: 9000 + i,
        protocol: 'tcp',
      });
    case 1:
      return older.configureNAT({ vlanId, sourceSubnet: `10.0.${vlanId}.0/24` });
    default:
      return older.createVLAN({ vlanId, subnet: `10.0.${vlanId}.0/24`, gateway: `10.0.${vlanId}.1` });
  }
}
