/** What this machine has of networks, read from the kernel's tables. */
import assert from 'node:assert/strict';
import { endianness } from 'node:os';
import { test } from 'node:test';
import { formatPrefix } from '@vrouter/core/prefix.ts';
import { hostNetworks } from './host-networks.ts';

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
