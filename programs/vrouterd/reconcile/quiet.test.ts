import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quietingOf } from './quiet.ts';

const rows: readonly [
  what: string,
  device: string,
  settings: { readonly [path: string]: number },
  missing: readonly string[],
][] = [
  [
    'a device as Linux makes it',
    'eth1',
    { 'net/ipv4/conf/eth1/rp_filter': 0, 'net/ipv4/conf/all/rp_filter': 0, 'net/ipv6/conf/eth1/disable_ipv6': 0 },
    ['net.ipv4.conf.eth1.rp_filter=1', 'net.ipv6.conf.eth1.disable_ipv6=1'],
  ],
  [
    'one that is quiet',
    'eth1',
    { 'net/ipv4/conf/eth1/rp_filter': 1, 'net/ipv4/conf/all/rp_filter': 0, 'net/ipv6/conf/eth1/disable_ipv6': 1 },
    [],
  ],
  [
    'loose for all, and a kernel without IPv6',
    'eth1',
    { 'net/ipv4/conf/eth1/rp_filter': 0, 'net/ipv4/conf/all/rp_filter': 2 },
    [],
  ],
  [
    'a name with a dot',
    'eth1.5',
    { 'net/ipv4/conf/eth1.5/rp_filter': 0, 'net/ipv4/conf/all/rp_filter': 0 },
    ['net/ipv4/conf/eth1.5/rp_filter=1'],
  ],
  ['what cannot be told', 'eth1', {}, []],
];

for (const [what, device, settings, missing] of rows)
  test(`keeping the kernel quiet: ${what}`, () => {
    assert.deepEqual(
      quietingOf(device, (path) => settings[path] ?? null),
      missing,
    );
  });
