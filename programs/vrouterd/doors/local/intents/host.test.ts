/** What this machine has of networks and listeners, read from the kernel's tables. */
import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { formatPrefix } from '@vrouter/core/prefix.ts';
import { hostNetworks } from './host-networks.ts';
import { disturbed, type Listener, listenersNow } from './listeners.ts';

const skip = endianness() === 'LE' ? false : 'tables of a little-endian machine';

const route = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth0	0000000A	FE0200C0	0003	0	0	0	000000FF	0	0	0
*	000010AC	00000000	0201	0	0	0	0000F0FF	0	0	0
`;
const ipv6Route = `${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 20010db80000000000000000000000fe 00000400 00000001 00000000 00000003     eth0
20010db8000000000000000000000000 40 ${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00000100 00000001 00000000 00000001     eth0
${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00 ${'0'.repeat(32)} ffffffff 00000001 00000000 00200200       lo
`;
const ifInet6 = `fe800000000000000cecf2fffe2e8b21 02 40 20 80     eth0
20010db8000000000000000000000007 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
`;

test('networks: from routes, though without carrier, and IPv6 addresses; of the default routes their next hops', {
  skip,
}, () => {
  const tables: { readonly [path: string]: string } = { route, if_inet6: ifInet6, ipv6_route: ipv6Route };
  const read = (path: string): string => tables[path.slice('/proc/self/net/'.length)] ?? '';
  const rows = hostNetworks(read, () => []).map((one) => [
    one.interface,
    formatPrefix(one.prefix),
    one.isGateway ? 'gateway' : one.isOwn,
  ]);
  assert.deepEqual(rows, [
    ['eth0', '192.0.2.0/24', true],
    ['docker0', '172.17.0.0/16', true],
    ['eth0', '10.0.0.0/8', false],
    // A blackhole.
    ['*', '172.16.0.0/12', false],
    ['eth0', 'fe80::/64', true],
    ['eth0', '2001:db8::/64', true],
    ['lo', '::1/128', true],
    ['eth0', '192.0.2.1/32', 'gateway'],
    ['eth0', '2001:db8::fe/128', 'gateway'],
  ]);
  assert.deepEqual(
    hostNetworks(
      () => '',
      () => [],
    ),
    [],
  );
});

const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 070200C0:0016 090200C0:C001 01 00000000:00000000 00:00000000 00000000     0        0 2 1
`;
const tcp6 = `  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0 0
   1: B80D0120000000000000000007000000:01BB 00000000000000000000000000000000:0000 0A 0 0
`;
const udp = `   sl  local_address rem_address   st
  100: 00000000:0035 00000000:0000 07 0 0
`;

test('listeners: who waits for anybody, by TCP and UDP', { skip }, () => {
  const tables: { readonly [path: string]: string } = { tcp, tcp6, udp };
  assert.deepEqual(
    listenersNow((path) => tables[path.slice('/proc/self/net/'.length)] ?? ''),
    [
      { protocol: 'tcp', address: '127.0.0.1', port: 8080 },
      { protocol: 'tcp', address: '::', port: 22 },
      { protocol: 'tcp', address: '2001:db8::7', port: 443 },
      { protocol: 'udp', address: '0.0.0.0', port: 53 },
    ],
  );
});

const listeners: Listener[] = [
  { protocol: 'tcp', address: '127.0.0.1', port: 8080 },
  { protocol: 'tcp', address: '::', port: 22 },
  { protocol: 'tcp', address: 'fd18::1', port: 443 },
  { protocol: 'udp', address: '0.0.0.0', port: 53 },
];

for (const [protocol, hostAddress, hostPort, count, port] of [
  ['tcp', null, 8080, 1, 8080],
  ['tcp', null, 8000, 100, 8080],
  ['tcp', null, 8081, 10, null],
  ['udp', null, 8080, 1, null],
  ['tcp', '192.0.2.1', 8080, 1, null],
  ['tcp', '127.0.0.1', 8080, 1, 8080],
  ['tcp', '::', 8080, 1, null],
  ['tcp', null, 22, 1, 22],
  ['tcp', '192.0.2.1', 22, 1, 22],
  ['tcp', '::', 443, 1, 443],
  ['tcp', 'fd19::1', 443, 1, null],
  ['udp', '192.0.2.1', 53, 1, 53],
  ['udp', '::', 53, 1, null],
] as const)
  test(`${hostAddress ?? '*'} ${protocol} ${hostPort} and ${count - 1} more`, () => {
    assert.equal(disturbed(listeners, { hostAddress, protocol, hostPort, count })?.port ?? null, port);
  });
