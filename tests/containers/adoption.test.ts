/** An older router's leftovers, made by iptables and iproute2 in a guest: user-mode Linux has no nftables for IPv4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsGuest, runInGuest } from '../world/guest.ts';
import { needs } from '../world/needs.ts';

const modules = [
  ...[
    '8021q',
    'veth',
    'nf_tables',
    'nft_compat',
    'x_tables',
    'xt_comment',
    'xt_nat',
    'xt_MASQUERADE',
    'xt_addrtype',
    'xt_tcpudp',
  ],
  ...['nf_conntrack', 'nf_conntrack_netlink', 'nf_nat', 'nft_chain_nat', 'nft_nat', 'nft_masq', 'nft_ct', 'nft_hash'],
  ...['nft_fib', 'nft_fib_ipv4', 'nft_fib_ipv6', 'nft_fib_inet', 'nft_numgen'],
];

test('VLANs, rules of iptables and names that an older router left are taken over, and flows go on', {
  skip: needsGuest() || needs('iptables-nft', 'dig', 'nft', 'dnsmasq'),
}, async (t) => {
  const { status, output } = await runInGuest(modules, new URL('adoption.ts', import.meta.url).pathname);
  assert.equal(status, 0, output);
  for (const line of output.split('\n')) if (line.startsWith('a download')) t.diagnostic(line.trim());
});
