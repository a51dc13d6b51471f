/**
 * What our table of nftables makes of real traffic: the probes of a router for containers, in both families. A program for namespaces of its
 * own; says `ok` at the end, any failure is an exit code and a stack.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Conversation } from '@vrouter/drivers/linux/netlink/conversation.ts';
import { NFNLGRP_NFTABLES } from '@vrouter/drivers/linux/netlink/nftables/news.ts';
import { Firewall, type FirewallStep } from '@vrouter/drivers/linux/nftables/firewall.ts';
import { NetlinkProtocol, openNetlink } from '@vrouter/host/netlink/netlink.ts';
import type { NatRuleObject, ObjectKey } from '@vrouter/intent/model/objects.ts';
import { serve } from './host.ts';
import { ip, makePlaces, router, run, showBridged } from './places.ts';

const FOREIGN = `table ip theirs {
  set some { type ipv4_addr; elements = { 10.9.9.9, 10.9.9.10 } }
  chain forward { type filter hook forward priority 10; policy accept; ip saddr @some counter drop;
}
}
table inet theirs { chain input { type filter hook input priority 5; policy accept; tcp dport 4711 reject comment "theirs"
}
}
`;
run('nft -f -', FOREIGN);
const foreign = (): string => run('nft list table ip theirs') + run('nft list table inet theirs');
const foreignBefore = foreign();

const places = await makePlaces();
const { out, a1, a2, b1, c1 } = places;
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const socket = openNetlink({ protocol: NetlinkProtocol.netfilter, sendBytes: 16 << 20 });
const news = openNetlink({ protocol: NetlinkProtocol.netfilter, groups: [NFNLGRP_NFTABLES] });
const firewall = new Firewall(new Conversation(socket, pause), news);
const heardHere: string[] = [];
serve('router', [8888], [53, 6767], heardHere);
await sleep(50);

async function done(...steps: readonly FirewallStep[]): Promise<void> {
  assert.deepEqual(
    await firewall.apply(steps),
    steps.map(() => null),
  );
}
const set = (object: Extract<FirewallStep, { op: 'set' }>['object']): FirewallStep => ({ op: 'set', object });
const gone = (object: Extract<FirewallStep, { op: 'set' }>['object']): FirewallStep => ({ op: 'delete', object });
const isolation = (link: 'bra' | 'brb' | 'brc', internal = false): FirewallStep => {
  const net = { bra: 18, brb: 19, brc: 20 }[link];
  return set({ kind: 'isolation', link, internal, gateways: [`172.${net}.0.1`, `fd${net}::1`] });
};
const link = (name: string, more = {}): FirewallStep => ({
  op: 'link',
  name,
  traits: { vrf: 'default', mssClamp: false, sourceCheck: 'off', ...more },
});

type Destination = Extract<NatRuleObject['match'], { type: 'destination' }>;
function port(
  outside: number,
  inside: string,
  to: number,
  more: Partial<Destination> & { hairpin?: boolean } = {},
): NatRuleObject {
  const { hairpin = true, ...match } = more;
  const { address = null, protocol = 'tcp', ports = [outside, outside] } = match;
  return {
    kind: 'natRule',
    name: `port/default/${address ?? '*'}/${protocol}/${outside}/${inside.includes(':') ? 6 : 4}`,
    vrf: 'default',
    match: { type: 'destination', address, protocol, ports },
    to: { type: 'inside', address: inside, port: to },
    hairpin,
  };
}
const masquerade = (prefix: string, leaving: readonly string[] | null = null, pool?: string): NatRuleObject => ({
  kind: 'natRule',
  name: `masquerade/default/${prefix}`,
  vrf: 'default',
  match: { type: 'source', prefix, leaving },
  to: pool === undefined ? { type: 'egress' } : { type: 'pool', pool },
  hairpin: true,
});

async function probes(): Promise<void> {
  await done(
    ...['bra', 'brb', 'brc', 'up0'].map((name) => link(name)),
    isolation('bra'),
    isolation('brb'),
    isolation('brc', true),
    ...['172.18.0.0/16', '172.19.0.0/16', 'fd18::/64', 'fd19::/64'].map((prefix) => set(masquerade(prefix))),
    set(port(8080, '172.18.0.2', 80)),
    set(port(8080, 'fd18::2', 80)),
    set(port(8081, '172.18.0.2', 9999, { address: '192.0.2.1' })),
    set(port(8082, '172.18.0.2', 80, { hairpin: false })),
    set(port(5300, '172.18.0.2', 80, { protocol: 'udp' })),
    set(port(7000, '172.18.0.2', 9998, { ports: [7000, 7001] })),
  );
  const rows: readonly (readonly [string, string | Promise<string>, string])[] = [
    ['outside → router:8080', out.tcp('192.0.2.1', 8080), 'a1 192.0.2.2'],
    ['the same, IPv6', out.tcp('2001:db8::1', 8080), 'a1 2001:db8::2'],
    ['outside → router:8081, of one address', out.tcp('192.0.2.1', 8081), 'a1 192.0.2.2'],
    ['outside → another address of the router:8081', out.tcp('172.18.0.1', 8081), 'refused'],
    ['outside → router:5300/udp', out.udp('192.0.2.1', 5300), 'a1 192.0.2.2'],
    ['outside → router:7001 of a range', out.tcp('192.0.2.1', 7001), 'a1 192.0.2.2'],
    ['outside → container:9999, unpublished', out.tcp('172.18.0.2', 9999), 'nothing'],
    ['the same, IPv6', out.tcp('fd18::2', 9999), 'nothing'],
    ['neighbour → router:8080', a2.tcp('172.18.0.1', 8080), 'a1 172.18.0.1'],
    ['the same by the outer address', a2.tcp('192.0.2.1', 8080), 'a1 172.18.0.1'],
    ['the same, IPv6', a2.tcp('2001:db8::1', 8080), 'a1 fd18::1'],
    ['container → router:8080, itself', a1.tcp('192.0.2.1', 8080), 'a1 172.18.0.1'],
    ['neighbour → a port that is not for the inside', a2.tcp('192.0.2.1', 8082), 'nothing'],
    ['which is open to the outside', out.tcp('192.0.2.1', 8082), 'a1 192.0.2.2'],
    ['and to other networks', b1.tcp('192.0.2.1', 8082), 'a1 172.19.0.2'],
    ['container → remote server:8080', a1.tcp('192.0.2.2', 8080), 'out 192.0.2.1'],
    ['the same, IPv6', a1.tcp('2001:db8::2', 8080), 'out 2001:db8::1'],
    ['other network → container:80', b1.tcp('172.18.0.2', 80), 'nothing'],
    ['other network → container:9999', b1.tcp('172.18.0.2', 9999), 'nothing'],
    ['the same, IPv6', b1.tcp('fd18::2', 80), 'nothing'],
    ['other network → router:8080', b1.tcp('192.0.2.1', 8080), 'a1 172.19.0.2'],
    ['other network → its own gateway:8080', b1.tcp('172.19.0.1', 8080), 'a1 172.19.0.2'],
    ['the same, IPv6', b1.tcp('fd19::1', 8080), 'a1 fd19::2'],
    ['router → own address:8080', router.tcp('192.0.2.1', 8080), 'a1 192.0.2.1'],
    ['router → 127.0.0.1:8080', router.tcp('127.0.0.1', 8080), 'a1 172.18.0.1'],
    ['router → own IPv6 address:8080', router.tcp('2001:db8::1', 8080), 'a1 2001:db8::1'],
    ['router → itself', router.tcp('172.18.0.1', 8888, { from: '172.18.0.1' }), 'router 172.18.0.1'],
    ['router → ::1, which is the host’s own', router.tcp('::1', 8080), 'refused'],
    ['same network, direct', a2.tcp('172.18.0.2', 80), 'a1 172.18.0.3'],
    ['internal network → outside', c1.tcp('192.0.2.2', 8080), 'nothing'],
    ['internal network → its gateway', c1.tcp('172.20.0.1', 8888), 'router 172.20.0.2'],
    ['internal network → a published port of another', c1.tcp('172.20.0.1', 8080), 'nothing'],
    ['outside → internal network', out.tcp('172.20.0.2', 80), 'nothing'],
    ['container → DNS of its gateway', b1.udp('172.19.0.1', 53), 'router 172.19.0.2'],
    ['container → DNS of another gateway', b1.udp('172.18.0.1', 53), 'nothing'],
    ['the same, IPv6', b1.udp('fd18::1', 53), 'nothing'],
    ['container → DNS of the host’s other addresses', b1.udp('192.0.2.1', 53), 'router 172.19.0.2'],
    ['the same, IPv6', b1.udp('2001:db8::1', 53), 'router fd19::2'],
    ['container → DNS outside', b1.udp('192.0.2.2', 53), 'out 192.0.2.1'],
    ['outside → 127.0.0.1 of the router', loopback(), 'nothing'],
  ];
  const told = await Promise.all(rows.map(async ([title, said]) => `${title}: ${await said}`));
  assert.deepEqual(
    told,
    rows.map(([title, , wanted]) => `${title}: ${wanted}`),
  );
}

/** Where bridges show their packets to netfilter, neighbours reach each other all the same. */
async function bridged(): Promise<void> {
  if (!showBridged(true)) return;
  assert.equal(await a2.tcp('192.0.2.1', 8080), 'a1 172.18.0.3');
  assert.equal(await a2.tcp('172.18.0.2', 80), 'a1 172.18.0.3');
  assert.equal(await b1.tcp('172.19.0.1', 8080), 'a1 172.19.0.2');
  assert.equal(await b1.tcp('172.18.0.2', 80), 'nothing');
  showBridged(false);
}

/** A neighbour sends 127.0.0.9 to us by its cable; our links take such addresses (route_localnet). */
const loopback = (): Promise<string> => a2.tcp('127.0.0.9', 8888, { from: '172.18.0.3' });

async function withoutUs(): Promise<void> {
  for (const name of ['all', 'eth0']) a2.exec(`sysctl -qw net.ipv4.conf.${name}.route_localnet=1`);
  a2.exec('ip route add 127.0.0.9 via 172.18.0.1 dev eth0 table 99');
  a2.exec('ip rule add pref 10 to 127.0.0.9 lookup 99');
  a2.exec('ip rule add pref 20 lookup local');
  a2.exec('ip rule del pref 0');
  assert.equal(await loopback(), 'router 172.18.0.3', 'without us the loopback is open to the cable');
}

async function addresses(): Promise<void> {
  for (const address of ['10', '11', '20']) ip(`address add 192.0.2.${address}/24 dev up0`);
  const pool = {
    kind: 'natPool',
    name: 'few',
    addresses: ['192.0.2.10', '192.0.2.11'],
    ports: [20_000, 20_999],
  } as const;
  const floating = (hairpin: boolean): NatRuleObject => ({
    kind: 'natRule',
    name: 'floating/default/192.0.2.20',
    vrf: 'default',
    match: { type: 'address', address: '192.0.2.20' },
    to: { type: 'host', address: '172.18.0.3' },
    hairpin,
  });
  const pooled = masquerade('172.18.0.2/32', ['up0'], 'few');
  await done(set(pool), set(pooled), set(floating(true)));
  const seen = new Set<string>();
  for (let i = 0; i < 5; i++) seen.add(await a1.tcp('192.0.2.2', 80));
  assert.equal(seen.size, 1, 'a host has one address of its pool');
  assert.match([...seen][0]!, /^out 192\.0\.2\.1[01]$/);
  const [session] = (await firewall.sessions(1000)).filter(({ fromBecomes }) => /\.1[01]$/.test(fromBecomes.address));
  assert.ok(session!.fromBecomes.port >= 20_000 && session!.fromBecomes.port < 21_000);
  assert.equal(await a2.tcp('192.0.2.2', 80), 'out 192.0.2.20', 'out by its own address, before any masquerade');
  assert.equal(await out.tcp('192.0.2.20', 80), 'a2 192.0.2.2');
  assert.equal(await out.tcp('192.0.2.20', 8080), 'a1 192.0.2.2', 'published ports go before');
  assert.equal(await a1.tcp('192.0.2.20', 80), 'a2 172.18.0.1');
  assert.equal(await b1.tcp('192.0.2.20', 9999), 'a2 172.19.0.2');
  await done(set(floating(false)));
  assert.equal(await a1.tcp('192.0.2.20', 80), 'nothing');
  // A masquerade for chosen links, and a longer prefix before a shorter.
  await done(gone(pooled), gone(pool), gone(floating(true)), set(masquerade('172.18.0.0/24', ['brb', 'brc'])));
  assert.equal(await a1.tcp('192.0.2.2', 80), 'out 192.0.2.1');
  const everywhere = masquerade('172.19.0.0/16', ['up0', 'bra']);
  await done(set(everywhere));
  assert.equal(await b1.tcp('192.0.2.1', 8080), 'a1 172.18.0.1', 'where it is asked for, also between networks');
  await done(set(masquerade('172.19.0.0/16')), gone(masquerade('172.18.0.0/24')));
  for (const address of ['10', '11', '20']) ip(`address del 192.0.2.${address}/24 dev up0`);
}

async function traits(): Promise<void> {
  out.exec('ip route add 172.18.0.99 dev lo');
  ip('link set up0 mtu 1300');
  const mss = async (): Promise<number> => {
    const asked = a1.tcp('192.0.2.2', 80, { holdMs: 400 });
    await sleep(100);
    const told = out.exec('ss -Htin sport = :80');
    await asked;
    await sleep(400);
    return Number(/mss:(\d+)/.exec(told)?.[1]);
  };
  const before = await mss();
  await done(link('up0', { mssClamp: true }));
  const after = await mss();
  assert.ok(before > 1260 && after <= 1260 && after > 1100, `${before} then ${after}`);
  ip('link set up0 mtu 1500');
  // Somebody outside calls himself a container: nobody answers, but is it heard?
  out.exec('ip address add 172.18.0.99/32 dev lo');
  const spoof = async (): Promise<string> => {
    await a1.heard();
    await out.udp('192.0.2.1', 5300, { from: '172.18.0.99' });
    return a1.heard();
  };
  await done(link('up0'), set(masquerade('172.18.0.0/16')));
  assert.equal(await spoof(), 'hello 172.18.0.99');
  await done(link('up0', { sourceCheck: 'strict' }));
  assert.equal(await spoof(), '');
  assert.equal(await out.tcp('192.0.2.1', 8080), 'a1 192.0.2.2');
  assert.equal(await out.tcp('2001:db8::1', 8080), 'a1 2001:db8::2');
  out.exec('ip neigh flush all');
  ip('neigh flush all');
  assert.equal(await out.tcp('2001:db8::1', 8080), 'a1 2001:db8::2');
  await done(link('up0', { sourceCheck: 'loose' }));
  assert.equal(await spoof(), 'hello 172.18.0.99', 'there is a way to it');
  out.exec('ip address add 203.0.113.9/32 dev lo');
  await a1.heard();
  await out.udp('192.0.2.1', 5300, { from: '203.0.113.9' });
  assert.equal(await a1.heard(), '', 'there is none');
  await done(link('up0'));
}

async function counts(): Promise<void> {
  const rule = port(8090, '172.18.0.2', 80);
  await done(set(rule));
  assert.equal(await out.tcp('192.0.2.1', 8090), 'a1 192.0.2.2');
  await sleep(50);
  const [seen] = await firewall.observeKeys([`natRule/${rule.name}` as ObjectKey]);
  assert.deepEqual(seen!.object, rule);
  // SYN, SYN ACK, ACK, what is said, and the end.
  assert.ok(Number(seen!.learned.packets) >= 6 && Number(seen!.learned.packets) < 20, String(seen!.learned.packets));
  assert.ok(Number(seen!.learned.bytes) > 300);
  const [before] = await firewall.observeKeys(['isolation/brb' as ObjectKey]);
  await b1.tcp('172.18.0.2', 80);
  const [after] = await firewall.observeKeys(['isolation/brb' as ObjectKey]);
  assert.ok(Number(after!.learned.packets) > Number(before!.learned.packets));
}

/** What a published port has brought in ends with it, and nothing else does. */
async function cuts(): Promise<void> {
  const [mine, other] = [
    port(6000, '172.18.0.2', 80, { protocol: 'udp' }),
    port(6001, '172.18.0.2', 80, { protocol: 'udp' }),
  ];
  await done(set(mine), set(other));
  const fromPort = 40_000;
  assert.equal(await out.udp('192.0.2.1', 6000, { fromPort }), 'a1 192.0.2.2');
  assert.equal(await out.udp('192.0.2.1', 6001, { fromPort: fromPort + 1 }), 'a1 192.0.2.2');
  const moved: NatRuleObject = { ...mine, to: { type: 'inside', address: '172.18.0.3', port: 80 } };
  await done(set(moved));
  assert.equal(await out.udp('192.0.2.1', 6000, { fromPort }), 'a1 192.0.2.2', 'a flow keeps its way');
  assert.equal(await firewall.cut([mine]), 1);
  assert.equal(await firewall.cut([mine]), 0);
  assert.equal(await out.udp('192.0.2.1', 6000, { fromPort }), 'a2 192.0.2.2');
  const left = (await firewall.sessions(1000)).filter(({ from }) => from.port === fromPort + 1);
  assert.equal(left.length, 1);
  assert.deepEqual([left[0]!.to.port, left[0]!.toBecomes], [6001, { address: '172.18.0.2', port: 80 }]);
  await done(gone(moved), gone(other));
}

/** Members send with addresses of their own network when they leave it; to whom a way leads behind a member, that one may route. */
async function strays(): Promise<void> {
  const sources = ['172.19.0.2', '203.0.113.9', '10.77.0.1', '192.0.2.3', 'fd19::2', 'fd77::1', '169.254.7.7'];
  for (const source of sources) a1.exec(`ip address add ${source} dev lo`);
  const rules = [set(masquerade('172.18.0.0/16')), set(masquerade('172.19.0.0/16')), set(masquerade('fd19::/64'))];
  await done(...rules, set(port(8070, '172.19.0.2', 80, { protocol: 'udp' })));
  const sent = async (from: string, to: string, at: number): Promise<void> => {
    const said = await a1.udp(to, at, { from, patienceMs: 150 });
    assert.equal(said, 'nothing', `${from} is not answered`);
  };
  for (const host of [out, b1]) await host.heard();
  heardHere.length = 0;
  for (const source of sources) {
    const isSix = source.includes(':');
    await sent(source, isSix ? '2001:db8::2' : '192.0.2.2', 9999);
    assert.equal(await out.heard(), '', `${source} does not get out`);
    await sent(source, isSix ? 'fd18::1' : '172.18.0.1', 53);
    await sent(source, isSix ? '2001:db8::1' : '192.0.2.1', 8070);
  }
  assert.equal(await b1.heard(), '', 'nor into another network by its published port');
  assert.deepEqual(heardHere, ['hello 169.254.7.7'], 'nor to the host');
  assert.equal(await a1.udp('192.0.2.2', 9999), 'out 192.0.2.1', 'its own does');
  assert.equal(await a1.udp('2001:db8::2', 9999), 'out 2001:db8::1');
  for (const on of [false, true]) {
    if (showBridged(on) !== on && on) continue;
    await a2.heard();
    await a1.udp('172.18.0.3', 9999, { from: '10.77.0.1', patienceMs: 150 });
    assert.equal(await a2.heard(), 'hello 10.77.0.1', 'neighbours may say what they like to each other');
  }
  showBridged(false);
  await out.heard();
  ip('route add 10.77.0.0/24 via 172.18.0.2 dev bra');
  ip('route add fd77::/64 via fd18::2 dev bra');
  await a1.udp('192.0.2.2', 9999, { from: '10.77.0.1', patienceMs: 150 });
  await a1.udp('2001:db8::2', 9999, { from: 'fd77::1', patienceMs: 150 });
  assert.equal(await out.heard(), 'hello 10.77.0.1,hello fd77::1', 'what is routed to it on purpose gets out');
  for (const source of sources) a1.exec(`ip address del ${source}/${source.includes(':') ? 128 : 32} dev lo`);
  await asksForAnAddress();
  await done(gone(port(8070, '172.19.0.2', 80, { protocol: 'udp' })), gone(masquerade('fd19::/64')));
}

/** As a client of DHCP does: from 0.0.0.0 to everybody. */
async function asksForAnAddress(): Promise<void> {
  heardHere.length = 0;
  c1.exec('ip address flush dev eth0');
  c1.exec('ip route add default dev eth0');
  const program =
    "const s=require('node:dgram').createSocket('udp4');s.bind(6768,()=>{s.setBroadcast(true);s.send('discover',6767,'255.255.255.255',()=>s.close())})";
  execFileSync('ip', ['netns', 'exec', 'c1', process.execPath, '-e', program]);
  await sleep(100);
  assert.deepEqual(heardHere, ['discover 0.0.0.0']);
  c1.exec('ip route del default');
  c1.exec('ip address add 172.20.0.2/16 dev eth0');
  c1.exec('ip address add fd20::2/64 dev eth0 nodad');
  c1.exec('ip route add default via 172.20.0.1');
  c1.exec('ip -6 route replace default via fd20::1');
}

/** Who sent to a port of UDP before it was published gets in, and what only passes through goes on. */
async function earlier(): Promise<void> {
  const rules = [port(80, '172.18.0.2', 80, { protocol: 'udp' }), port(80, 'fd18::2', 80, { protocol: 'udp' })];
  const asked = (): Promise<string[]> =>
    Promise.all([
      out.udp('192.0.2.1', 80, { fromPort: 42_000 }),
      out.udp('2001:db8::1', 80, { fromPort: 42_001 }),
      b1.udp('192.0.2.1', 80, { fromPort: 42_002 }),
      router.udp('192.0.2.1', 80, { fromPort: 42_003 }),
      router.udp('127.0.0.1', 80, { fromPort: 42_004 }),
    ]);
  const transit = (): Promise<string> => a1.udp('192.0.2.2', 80, { fromPort: 42_005 });
  await done(set(masquerade('172.18.0.0/16')), set(masquerade('172.19.0.0/16')));
  const before = await asked();
  assert.equal(await transit(), 'out 192.0.2.1');
  await done(...rules.map(set));
  assert.deepEqual(await asked(), before, 'the kernel has decided about these flows');
  const own = new Set(['c0000201', '7f000001', '20010db8000000000000000000000001']);
  assert.equal(await firewall.cutEarlier(rules, async () => (address) => own.has(address.toHex())), 5);
  assert.deepEqual(await asked(), ['a1 192.0.2.2', 'a1 2001:db8::2', 'a1 172.19.0.2', 'a1 192.0.2.1', 'a1 172.18.0.1']);
  assert.ok((await firewall.sessions(1000)).some(({ from }) => from.port === 42_005));
  assert.equal(await firewall.cutEarlier(rules, async () => () => true), 1, 'translated flows are none of these');
  await done(...rules.map(gone));
}

/** What has left by a masquerade ends with it: what came in by a port, or left from elsewhere, does not. */
async function cutsOfMasquerades(): Promise<void> {
  await done(set(masquerade('172.18.0.0/16')), set(masquerade('172.19.0.0/16')), set(port(6002, '172.18.0.2', 80)));
  const fromPort = 41_000;
  assert.equal(await a1.udp('192.0.2.2', 9999, { fromPort }), 'out 192.0.2.1');
  assert.equal(await b1.udp('192.0.2.2', 9999, { fromPort: fromPort + 1 }), 'out 192.0.2.1');
  assert.equal(await out.tcp('192.0.2.1', 6002, { fromPort: fromPort + 2, holdMs: 2000 }), 'a1 192.0.2.2');
  assert.ok((await firewall.cut([masquerade('172.18.0.0/16')])) >= 1);
  const left = (await firewall.sessions(1000)).map(({ from }) => from.port).filter((from) => from >= fromPort);
  assert.deepEqual(left.filter((from) => from <= fromPort + 2).sort(), [fromPort + 1, fromPort + 2]);
}

for (const part of [withoutUs, probes, addresses, traits, counts, cuts, earlier, strays, cutsOfMasquerades, bridged]) {
  try {
    await part();
  } catch (thrown) {
    console.error(`in ${part.name}:`);
    throw thrown;
  }
}
assert.equal(foreign(), foreignBefore, 'what is not ours is as it was');
for (const host of Object.values(places)) await host.end();
socket.close();
news.close();
console.log('ok');
process.exit(0);
