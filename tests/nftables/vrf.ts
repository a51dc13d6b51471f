/**
 * Address rules of a VRF whose addresses are those of another network: what is published in one is not in the other.
 *
 *     o1 198.51.100.2 ── u1 .1 ┐                    ┌ u2 192.0.2.1 ── o2 192.0.2.2
 *     h1 10.0.0.2 ─── i1 .1 ────┤ red        default ├─ i2 10.0.0.1 ─── h2 10.0.0.2
 *     k1 10.1.0.2 ─── j1 .1 ────┘                    └
 *
 * A program for a kernel of its own that has VRFs; says `ok` at the end.
 */
import assert from 'node:assert/strict';
import { Conversation } from '@vrouter/drivers/linux/netlink/conversation.ts';
import { Firewall, type FirewallStep } from '@vrouter/drivers/linux/nftables/firewall.ts';
import { NetlinkProtocol, openNetlink } from '@vrouter/host/netlink/netlink.ts';
import type { NatRuleObject, ObjectKey } from '@vrouter/intent/model/objects.ts';
import { connect, Host, ip, sysctl } from './places.ts';

/** The machine is an emulated one. */
const PATIENCE_MS = 3000;
const rows = [
  ['o1', 'u1', '198.51.100', true],
  ['h1', 'i1', '10.0.0', true],
  ['k1', 'j1', '10.1.0', true],
  ['o2', 'u2', '192.0.2', false],
  ['h2', 'i2', '10.0.0', false],
] as const;

ip('link set lo up');
for (const name of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding', 'net.ipv4.tcp_l3mdev_accept'])
  sysctl(name, '1');
for (const name of ['all', 'default']) sysctl(`net.ipv4.conf.${name}.rp_filter`, '0');
ip('link add red type vrf table 7000');
ip('link set red up');
for (const [name, link, net, isRed] of rows) {
  connect(name, link, `${net}.2/24`, `fd00:${net.split('.')[1]}::2/64`, `${net}.1`, `fd00:${net.split('.')[1]}::1`);
  if (isRed) ip(`link set ${link} master red`);
  ip(`address add ${net}.1/24 dev ${link}`);
  if (isRed) ip(`address add fd00:${net.split('.')[1]}::1/64 dev ${link} nodad`);
}
// One address that each of the two outsides has for itself.
for (const [name, via, table] of [
  ['o1', '198.51.100.2', 'table 7000'],
  ['o2', '192.0.2.2', 'table main'],
] as const) {
  ip(`-n ${name} address add 203.0.113.1/32 dev lo`);
  ip(`route add 203.0.113.1 via ${via} ${table}`);
}
const hosts = new Map<string, Host>();
for (const [name] of rows) hosts.set(name, await new Host(name, PATIENCE_MS).start());
const host = (name: (typeof rows)[number][0]): Host => hosts.get(name)!;
console.log('hosts are up');

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const socket = openNetlink({ protocol: NetlinkProtocol.netfilter, sendBytes: 16 << 20 });
const firewall = new Firewall(new Conversation(socket, pause));
const link = (name: string, vrf: string, more = {}): FirewallStep => ({
  op: 'link',
  name,
  traits: { vrf, mssClamp: false, sourceCheck: 'off', ...more },
});
function rule(
  name: string,
  vrf: string,
  match: NatRuleObject['match'],
  to: NatRuleObject['to'],
  hairpin = true,
): FirewallStep {
  return { op: 'set', object: { kind: 'natRule', name, vrf, match, to, hairpin } };
}
const tcp = (port: number, address: string | null = null) =>
  ({ type: 'destination', address, protocol: 'tcp', ports: [port, port] }) as const;
const inside = (address: string, port = 80) => ({ type: 'inside', address, port }) as const;
const from = (prefix: string, leaving: readonly string[] | null = null) =>
  ({ type: 'source', prefix, leaving }) as const;

const steps: readonly FirewallStep[] = [
  ...rows.map(([, name, , isRed]) =>
    link(name, isRed ? 'red' : 'default', name === 'u1' ? { sourceCheck: 'strict' } : {}),
  ),
  rule('red/8080', 'red', tcp(8080), inside('10.0.0.2')),
  rule('red/8081', 'red', tcp(8081), inside('10.0.0.2'), false),
  rule('red/8082', 'red', tcp(8082, '198.51.100.1'), inside('10.0.0.2')),
  rule('red/6', 'red', tcp(8080), inside('fd00:0::2')),
  rule('red/masquerade', 'red', from('10.0.0.0/24'), { type: 'egress' }),
  rule('default/9000', 'default', tcp(9000), inside('10.0.0.2')),
  rule('default/masquerade', 'default', from('10.0.0.0/24', ['u2']), { type: 'egress' }),
  { op: 'set', object: { kind: 'isolation', link: 'i1', internal: false, gateways: [] } },
  { op: 'set', object: { kind: 'isolation', link: 'j1', internal: false, gateways: [] } },
];
assert.deepEqual(
  await firewall.apply(steps),
  steps.map(() => null),
);
const probes = [
  ['red: outside → router:8080', host('o1').tcp('198.51.100.1', 8080), 'h1 198.51.100.2'],
  ['red: of one address', host('o1').tcp('198.51.100.1', 8082), 'h1 198.51.100.2'],
  ['default: outside → router:8080, which is the other VRF’s', host('o2').tcp('192.0.2.1', 8080), 'refused'],
  ['red: outside → router:9000, which is the other VRF’s', host('o1').tcp('198.51.100.1', 9000), 'refused'],
  ['default: outside → router:9000', host('o2').tcp('192.0.2.1', 9000), 'h2 192.0.2.2'],
  ['red: container → outside', host('h1').tcp('198.51.100.2', 80), 'o1 198.51.100.1'],
  ['red: container → remote server:8080', host('h1').tcp('198.51.100.2', 8080), 'o1 198.51.100.1'],
  ['default: container → outside', host('h2').tcp('192.0.2.2', 80), 'o2 192.0.2.1'],
  ['red: itself by the gateway’s address', host('h1').tcp('10.0.0.1', 8080), 'h1 10.0.0.1'],
  ['red: itself by the outer address, which is named', host('h1').tcp('198.51.100.1', 8082), 'h1 10.0.0.1'],
  ['red: remote server:8082, whose address is another', host('h1').tcp('198.51.100.2', 8082), 'refused'],
  ['red: closed to the inside', host('h1').tcp('10.0.0.1', 8081), 'nothing'],
  ['red: open to the outside', host('o1').tcp('198.51.100.1', 8081), 'h1 198.51.100.2'],
  ['red: outside → unpublished', host('o1').tcp('10.0.0.2', 80), 'nothing'],
  ['red: network → other network', host('k1').tcp('10.0.0.2', 80), 'nothing'],
  ['red: network → published port of the other', host('k1').tcp('10.1.0.1', 8080), 'h1 10.1.0.2'],
  ['red: a flow', host('h1').tcp('203.0.113.1', 9999, { fromPort: 7777, holdMs: 20_000 }), 'o1 198.51.100.1'],
  ['default: the same flow', host('h2').tcp('203.0.113.1', 9999, { fromPort: 7777 }), 'o2 192.0.2.1'],
] as const;
const told: string[] = [];
for (const [title, said] of probes) told.push(`${title}: ${await said}`);
const seen = await firewall.observeKeys(['natRule/red/8080' as ObjectKey]);
console.log(told.join('\n'), JSON.stringify(seen[0]?.learned));
assert.deepEqual(
  told,
  probes.map(([title, , wanted]) => `${title}: ${wanted}`),
);
assert.ok(Number(seen[0]!.learned.packets) > 5);
for (const one of hosts.values()) await one.end();
console.log('ok');
process.exit(0);
