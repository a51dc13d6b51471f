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
`;
const ifInet6 = `fe800000000000000cecf2fffe2e8b21 02 40 20 80     eth0
20010db8000000000000000000000007 02 40 00 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
`;

test('networks: from routes, though without carrier, and IPv6 addresses; not the default route', { skip }, () => {
  const read = (path: string): string => (path.endsWith('/route') ? route : ifInet6);
  const rows = hostNetworks(read, () => []).map((one) => [one.interface, formatPrefix(one.prefix), one.isOwn]);
  assert.deepEqual(rows, [
    ['eth0', '192.0.2.0/24', true],
    ['docker0', '172.17.0.0/16', true],
    ['eth0', '10.0.0.0/8', false],
    ['eth0', 'fe80::/64', true],
    ['eth0', '2001:db8::/64', true],
    ['lo', '::1/128', true],
  ]);
  assert.deepEqual(
    hostNetworks(
      () => '',
      () => [],
    ),
    [],
  );
});
