/**
 * An older router was here: VLANs, rules of the real iptables, files for a dnsmasq. vrouterd takes over what is clear, leaves alone what is not,
 * and downloads go on. A program for a machine of its own:
 *
 *     out 192.0.2.2 ── up0 [machine] lan0, lan0.100 172.18.0.1/16 ── x0.100 172.18.0.2 in `c1`
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { newerClient, sessionOver } from '../../programs/vrouterd/doors/router/client.testing.ts';
import { Download, ip, run, until } from './world.ts';

const program = new URL('../../programs/vrouterd/router-service.ts', import.meta.url).pathname;
const iptables = (rule: string): string => run(`iptables-nft -t nat ${rule}`);
const rules = (): string => run('iptables-nft-save -t nat');

// The machine is slow.
process.env.STREAM_MS = '50';
const step = (what: string): void => console.log(`${Math.round(performance.now())} ms: ${what}`);

// What is written in /etc is for this machine alone.
run('cp -a /etc /run/etc');
run('mount --bind /run/etc /etc');
mkdirSync('/etc/dnsmasq.d', { recursive: true });
mkdirSync('/run/netns', { recursive: true });
for (const [space, link] of [
  ['out', 'up0'],
  ['c1', 'lan0'],
] as const) {
  ip(`netns add ${space}`);
  ip(`link add ${link} type veth peer name x0 netns ${space}`);
  ip(`link set ${link} up`);
  ip(`-n ${space} link set lo up`);
  ip(`-n ${space} link set x0 up`);
}
ip('address add 192.0.2.1/24 dev up0');
ip('-n out address add 192.0.2.2/24 dev x0');
ip('-n c1 link add link x0 name x0.100 type vlan id 100');
ip('-n c1 link set x0.100 up');
ip('-n c1 address add 172.18.0.2/16 dev x0.100');
ip('-n c1 route add default via 172.18.0.1');

/** As the older router does it. */
function vlan(id: number, address: string | null): void {
  ip(`link add link lan0 name lan0.${id} txqueuelen 0 type vlan id ${id}`);
  if (address !== null) ip(`address add ${address} brd + dev lan0.${id}`);
  ip(`link set lan0.${id} up`);
}
run('sysctl -qw net.ipv4.ip_forward=1');
vlan(100, '172.18.0.1/16');
vlan(101, null);
vlan(102, '10.102.0.1/24');
const masquerade = (id: number, subnet: string): string =>
  iptables(`-A POSTROUTING -s ${subnet} -j MASQUERADE -m comment --comment vlan-${id}`);
const published = (id: number, port: number, to: string): string =>
  iptables(
    `-A PREROUTING -p tcp --dport ${port} -j DNAT --to-destination ${to} -m comment --comment port-${port}-vlan-${id}`,
  );
iptables('-N DOCKER');
iptables('-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER');
masquerade(100, '172.18.0.0/16');
masquerade(100, '172.18.0.0/16');
published(100, 7000, '172.18.0.2:7000');
masquerade(101, '10.101.0.0/24');
published(100, 81, '172.18.0.2-172.18.0.9');
published(100, 82, '172.18.0.2:80');
published(100, 82, '172.18.0.3:80');
iptables('-A POSTROUTING -s 172.18.0.0/16 -j MASQUERADE -m comment --comment mine');
writeFileSync('/etc/dnsmasq.d/vlan-100.conf', 'listen-address=172.18.0.1\nhost-record=web,172.18.0.2\n');
const before = rules();

step('what the older router left');
const servers = [await new Download('c1', 'serve', '7000').ready(), await new Download('out', 'serve', '7001').ready()];
const downloads = [
  await new Download('out', 'get', '192.0.2.1', '7000').ready(),
  await new Download('c1', 'get', '192.0.2.2', '7001').ready(),
];
step('downloads');
const linkBefore = ip('-d link show lan0.100');
const indexOf = (text: string): string => text.split(':')[0]!;

async function start() {
  step('start');
  const words = ['--socket', '/run/router.sock', '--data', '/run/data', '--parent', 'lan0'];
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
  const looked = (): boolean => /left alone/.test(log) && /took over|"running"/.test(log);
  await until('it has looked for leftovers', looked, 200_000).catch((thrown: Error) => {
    throw new Error(`${thrown.message}\n${log}`);
  });
  step('started');
  return { child, log: () => log };
}

const first = await start();
await until('it has taken over', () => first.log().includes('took over'), 60_000);

assert.match(first.log(), /"vlans":1,"rulesRemoved":3,"rulesKept":0/);
const after = ip('-d link show lan0.100');
assert.equal(indexOf(after), indexOf(linkBefore), 'it is the same link');
assert.match(after, /alias vrouter lan0\.100/);
const gone = (line: string): boolean =>
  /-s 172\.18\.0\.0\/16 -m comment --comment vlan-100 /.test(line) || line.includes('port-7000-vlan-100');
const withoutCounts = (text: string): string[] => text.split('\n').filter((line) => !/^[#:]/.test(line));
assert.deepEqual(
  withoutCounts(rules()),
  withoutCounts(before).filter((line) => !gone(line)),
  'those alone',
);
const table = run('nft list table inet vrouter');
assert.match(table, /7000/);
for (const what of ['lan0.101', 'lan0.102']) {
  assert.doesNotMatch(ip(`-d link show ${what}`), /vrouter/);
  assert.doesNotMatch(table, new RegExp(what.replace('.', '\\.')));
}
for (const why of [
  'lan0.101: it has no address',
  'lan0.102: nothing shows',
  'port-81-vlan-100',
  'tcp port 82: it is there several times',
])
  assert.ok(first.log().includes(why), why);
assert.equal(run('ip netns exec c1 dig +short +time=3 @172.18.0.1 web').trim(), '172.18.0.2');

const client = newerClient(sessionOver(connect('/run/router.sock')));
const [told] = (await client.listVLANs({})).vlans;
assert.deepEqual(
  [told?.vlanId, told?.subnet, told?.gateway, told?.natEnabled, told?.isUp],
  [100, '172.18.0.1/16', '172.18.0.1', true, true],
);

const exit = once(first.child, 'exit');
first.child.kill('SIGKILL');
await exit;
const rulesNow = rules();
const second = await start();
assert.equal(withoutCounts(rules()).join('\n'), withoutCounts(rulesNow).join('\n'));
assert.equal(indexOf(ip('link show lan0.100')), indexOf(linkBefore));
for (const one of downloads) {
  const { bytes, silence, ended } = await one.heard();
  console.log(`a download of ${bytes} bytes, silent ${silence} ms`);
  assert.equal(ended, null);
}
const other = newerClient(sessionOver(connect('/run/router.sock')));
assert.equal((await other.deleteVLAN({ vlanId: 100 })).error, '');
assert.doesNotMatch(ip('link'), /lan0\.100/);
assert.throws(() => run('nft list table inet vrouter'), 'nothing of it is left');
for (const one of [...downloads, ...servers]) await one.end();
second.child.kill('SIGKILL');
console.log('ok');
process.exit(0);
