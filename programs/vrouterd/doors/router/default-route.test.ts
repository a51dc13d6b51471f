import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultRouteInterface } from './default-route.ts';

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
const v4 = (name: string, destination: string, flags: string, metric: number, mask = '00000000'): string =>
  `${name}\t${destination}\t0100000A\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0   `;
const zero = '0'.repeat(32);
const v6 = (name: string, metric: string, flags: string): string =>
  `${zero} 00 ${zero} 00 fe800000000000000000000000000001 ${metric} 00000001 00000000 ${flags}     ${name}`;

const rows: readonly (readonly [what: string, v4: string[], v6: string[], expected: string | null])[] = [
  ['none', [], [], null],
  ['the only one', [v4('eth0', '00000000', '0003', 0), v4('eth0', '0000000A', '0001', 0, '00FFFFFF')], [], 'eth0'],
  [
    'no default',
    [v4('eth0', '0000000A', '0001', 0, '00FFFFFF'), v4('eth1', '00000000', '0001', 0, '00000080')],
    [],
    null,
  ],
  ['the lowest metric', [v4('wlan0', '00000000', '0003', 600), v4('eth0', '00000000', '0003', 100)], [], 'eth0'],
  ['the first of equals', [v4('eth1', '00000000', '0003', 100), v4('eth0', '00000000', '0003', 100)], [], 'eth1'],
  [
    'refused and down ones do not count',
    [v4('eth0', '00000000', '0201', 0), v4('eth1', '00000000', '0002', 0)],
    [],
    null,
  ],
  ['IPv6 where there is no IPv4', [], [v6('eth2', '00000400', '00450003'), v6('lo', 'ffffffff', '00200200')], 'eth2'],
  ['IPv4 first', [v4('eth0', '00000000', '0003', 1024)], [v6('eth2', '00000001', '00450003')], 'eth0'],
];

for (const [what, four, six, expected] of rows)
  test(what, () => {
    const read = (path: string): string => (path.endsWith('ipv6_route') ? six : [header, ...four]).join('\n');
    assert.equal(defaultRouteInterface(read), expected);
  });

test('this machine answers too', () => {
  assert.ok(['string', 'object'].includes(typeof defaultRouteInterface()));
});
