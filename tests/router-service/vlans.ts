/** Items 4 to 11: VLANs and their NAT, judged by iproute2 and nft. */
import assert from 'node:assert/strict';
import { ip, run } from '../nftables/places.ts';
import { tried } from './items.ts';
import { A1, BLUE, dig, flows, linkOf, OUTSIDE, picture, ROUTER, ruleset, UPLINK, UPLINK_MTU, until } from './lab.ts';
import { fails, succeeds, twoVlans, unchanged, type World } from './world.ts';

export async function vlans(world: World): Promise<void> {
  const { older, newer, lab } = world;

  await tried(4, async () => {
    const { success, error, interfaceName, macAddress } = await older.createVLAN(BLUE);
    assert.deepEqual({ success, error, interfaceName }, { success: true, error: '', interfaceName: `${UPLINK}.100` });
    const link = linkOf(`${UPLINK}.100`)!;
    assert.equal(link.linkinfo?.info_kind, 'vlan');
    assert.deepEqual([link.linkinfo?.info_data?.protocol, link.linkinfo?.info_data?.id], ['802.1Q', 100]);
    assert.equal(link.address, macAddress);
    assert.match(macAddress, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    assert.equal(link.address, linkOf(UPLINK)!.address, "its parent's");
    assert.equal(link.mtu, UPLINK_MTU);
    assert.ok(link.flags.includes('UP'));
    const [address] = link.addr_info.filter(({ family }) => family === 'inet');
    assert.deepEqual([address?.local, address?.prefixlen, address?.broadcast], ['172.18.0.1', 16, '172.18.255.255']);
    assert.match(ip('route show 172.18.0.0/16'), /dev eth0\.100 .*scope link/);
    const { vlans: listed } = await older.listVLANs({ vlanId: 100 });
    assert.deepEqual(
      listed.map(({ vlanId, gateway, subnet, mtu, isUp, natEnabled }) => [
        vlanId,
        gateway,
        subnet,
        mtu,
        isUp,
        natEnabled,
      ]),
      [[100, '172.18.0.1', '172.18.0.0/16', UPLINK_MTU, true, true]],
    );
    assert.deepEqual((await older.listVLANs({ vlanId: 999 })).vlans, []);
    assert.match(lab.a1.exec('ping -c 1 -W 2 172.18.0.1'), / 0% packet loss/);
  });

  await tried(5, async () => {
    await succeeds(older.createVLAN({ vlanId: 110, subnet: '10.110.0.0/24', gateway: '10.110.0.1', mtu: 1400 }));
    assert.equal(linkOf(`${UPLINK}.110`)!.mtu, 1400);
    const before = picture();
    await fails(
      older.createVLAN({ vlanId: 111, subnet: '10.111.0.0/24', gateway: '10.111.0.1', mtu: 9000 }),
      /an MTU of 9000 is more than the 1480 of eth0/,
    );
    unchanged(before, picture());
    assert.deepEqual((await older.listVLANs({ vlanId: 111 })).vlans, []);
    await succeeds(older.deleteVLAN({ vlanId: 110 }));
    // The kernel takes the VLAN's down with its parent's, and never up again.
    await succeeds(older.createVLAN(BLUE));
    ip(`link set ${UPLINK} mtu 1300`);
    await until('it is told', async () => !(await older.getHealth({})).healthy);
    await succeeds(older.createVLAN(BLUE));
    assert.equal(linkOf(`${UPLINK}.100`)!.mtu, 1300);
    await until('all is well', async () => (await older.getHealth({})).healthy);
    ip(`link set ${UPLINK} mtu ${UPLINK_MTU}`);
    await succeeds(older.createVLAN(BLUE));
    assert.equal(linkOf(`${UPLINK}.100`)!.mtu, UPLINK_MTU);
  });

  await tried(6, async () => {
    const before = picture();
    for (const vlanId of [0, 1, 99, 4095, 4_294_967_295])
      await fails(
        older.createVLAN({ vlanId, subnet: '10.9.0.0/24', gateway: '10.9.0.1' }),
        new RegExp(`${vlanId}.*100.*4094`),
      );
    unchanged(before, picture());
    await succeeds(older.createVLAN({ vlanId: 4094, subnet: '10.9.0.0/24', gateway: '10.9.0.1' }));
    assert.equal(linkOf(`${UPLINK}.4094`)?.linkinfo?.info_data?.id, 4094);
    await succeeds(older.createVLAN(BLUE));
    await succeeds(older.deleteVLAN({ vlanId: 4094 }));
  });

  await tried(7, async () => {
    await twoVlans(world);
    const before = picture();
    for (const vlanId of [100, 120])
      for (const [subnet, gateway] of [
        ['', '172.20.0.1'],
        ['blue', '172.20.0.1'],
        ['172.20.0.0', '172.20.0.1'],
        ['172.20.0.0/33', '172.20.0.1'],
        ['172.20.0.0/16', ''],
        ['172.20.0.0/16', 'gateway'],
        ['172.20.0.0/16', '172.20.0.1/16'],
        ['172.20.0.0/16', '172.21.0.1'],
        ['172.20.0.0/16', '172.20.0.0'],
        ['172.20.0.0/16', '172.20.255.255'],
        ['172.20.0.0/16', 'fd20::1'],
        ['172.19.128.0/17', '172.19.128.1'],
      ])
        await fails(older.createVLAN({ vlanId, subnet, gateway }), /subnet|gateway/);
    unchanged(before, picture());
  });

  await tried(8, async () => {
    await succeeds(
      older.addPortMapping({ vlanId: 100, containerIp: A1, containerPort: 80, hostPort: 8080, protocol: 'tcp' }),
    );
    await succeeds(older.configureDNS({ vlanId: 100, hosts: { web: A1 } }));
    const before = picture();
    for (let i = 0; i < 3; i++) await succeeds(older.createVLAN(BLUE));
    unchanged(before, picture());
    assert.equal(linkOf(`${UPLINK}.100`)!.addr_info.filter(({ family }) => family === 'inet').length, 1);
    assert.equal(count(ruleset(), /"masquerade\/default\/172\.18\.0\.0\/16"/g), 1);
    assert.equal(await lab.outside.tcp(ROUTER, 8080), `a1 ${OUTSIDE}`);
    assert.deepEqual(dig(lab.a1, BLUE.gateway, 'web').answers, [`A ${A1}`]);
    await succeeds(older.createVLAN({ ...BLUE, mtu: 1400 }));
    assert.equal(linkOf(`${UPLINK}.100`)!.mtu, 1400, 'what is said anew is so');
    await succeeds(older.createVLAN(BLUE));
    unchanged(before, picture());
  });

  await tried(9, async () => {
    await twoVlans(world);
    const mapping = { vlanId: 101, containerIp: '172.19.0.2', containerPort: 80, hostPort: 9101, protocol: 'tcp' };
    await succeeds(older.addPortMapping(mapping));
    await succeeds(older.addPortMapping({ ...mapping, hostPort: 9102, protocol: 'udp', containerPort: 9999 }));
    await succeeds(older.configureDNS({ vlanId: 101, hosts: { web: '172.19.0.2' } }));
    const held = [
      lab.b1.tcp(OUTSIDE, 8080, { holdMs: 20_000 }),
      lab.outside.tcp(ROUTER, 9101, { holdMs: 20_000 }),
      lab.outside.udp(ROUTER, 9102),
    ];
    assert.deepEqual(await Promise.all(held), [`outside ${ROUTER}`, `b1 ${OUTSIDE}`, `b1 ${OUTSIDE}`]);
    assert.ok(flows('172.19.0.2').length >= 3, 'and there are flows of it');
    for (let i = 0; i < 2; i++) await succeeds(older.deleteVLAN({ vlanId: 101 }));
    assert.equal(linkOf(`${UPLINK}.101`), null);
    assert.doesNotMatch(picture(), /172\.19\.|eth0\.101|vlan-101/);
    assert.deepEqual(flows('172.19.0.2'), []);
    assert.deepEqual(
      run('ps -eo args')
        .split('\n')
        .filter((line) => /dnsmasq.*vlan-101/.test(line)),
      [],
    );
    assert.equal(await lab.outside.tcp(ROUTER, 9101), 'refused');
  });

  await tried(10, async () => {
    await twoVlans(world);
    ip('link add eth9 type veth peer name away9');
    ip('address add 192.0.9.1/24 dev eth9');
    ip('link set eth9 up');
    ip('link set away9 up');
    ip('route del default');
    ip(`route add default via ${OUTSIDE} metric 5`);
    ip('route add default via 192.0.9.2 metric 1');
    await succeeds(older.deleteVLAN({ vlanId: 101 }));
    assert.equal(linkOf(`${UPLINK}.101`), null, 'where it was made, not where it would be made now');
    const { interfaceName } = await older.createVLAN({ vlanId: 130, subnet: '10.130.0.0/24', gateway: '10.130.0.1' });
    assert.equal(interfaceName, 'eth9.130');
    await succeeds(older.deleteVLAN({ vlanId: 130 }));
    ip('link del eth9');
    ip('route del default');
    ip(`route add default via ${OUTSIDE}`);
    // One of others stays, and one of ours is known without what shows it.
    ip(`link add link ${UPLINK} name ${UPLINK}.140 type vlan id 140`);
    const tail = { vlanId: 140, subnet: '10.140.0.0/24', gateway: '10.140.0.1' };
    assert.match((await older.createVLAN(tail)).error, /eth0\.140, which is not ours/);
    await succeeds(older.deleteVLAN({ vlanId: 140 }));
    assert.notEqual(linkOf(`${UPLINK}.140`), null);
    ip(`link del ${UPLINK}.140`);
    await succeeds(older.createVLAN(tail));
    ip(`link set ${UPLINK}.140 alias wiped group 0`);
    await succeeds(older.createVLAN(tail));
    await succeeds(older.deleteVLAN({ vlanId: 140 }));
    assert.equal(linkOf(`${UPLINK}.140`), null);
  });

  await tried(11, async () => {
    await twoVlans(world);
    const nat = async (): Promise<boolean> => (await older.listVLANs({ vlanId: 100 })).vlans[0]!.natEnabled;
    const own = { vlanId: 100, sourceSubnet: BLUE.subnet };
    const seen = (): Promise<string> => lab.a2.tcp(OUTSIDE, 80);
    assert.deepEqual([await nat(), await seen()], [true, `outside ${ROUTER}`], 'not said: on');
    await succeeds(newer.createVLAN({ ...BLUE, enableNat: false }));
    assert.deepEqual([await nat(), await seen()], [false, 'outside 172.18.0.3'], 'said: off');
    await succeeds(older.configureNAT(own));
    assert.deepEqual([await nat(), await seen()], [true, `outside ${ROUTER}`]);
    const once = picture();
    for (let i = 0; i < 3; i++) await succeeds(older.configureNAT(own));
    unchanged(once, picture());
    await succeeds(older.removeNAT(own));
    assert.deepEqual([await nat(), await seen()], [false, 'outside 172.18.0.3']);
    for (const nothing of [own, { vlanId: 777, sourceSubnet: '10.77.0.0/24' }])
      await succeeds(older.removeNAT(nothing));
    await succeeds(older.configureNAT(own));
    unchanged(once, picture());
    await succeeds(older.createVLAN({ ...BLUE, enableNat: false }));
    assert.equal(await nat(), true, 'an older client cannot say false');
  });
}

const count = (text: string, of: RegExp): number => [...text.matchAll(of)].length;
