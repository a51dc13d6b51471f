/** The Linux plane on kernels that have what it needs: VRFs and WireGuard, which not every machine has, in a guest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsGuest, runInGuest } from '../world/guest.ts';

const path = (file: string): string => new URL(file, import.meta.url).pathname;
const NFTABLES = [
  ...['nf_tables', 'nf_conntrack', 'nf_conntrack_netlink', 'nf_nat', 'nft_chain_nat', 'nft_nat', 'nft_masq', 'nft_ct'],
  ...['nft_fib', 'nft_fib_ipv4', 'nft_fib_ipv6', 'nft_fib_inet', 'nft_hash', 'nft_numgen'],
];

test('the contract of planes, with WireGuard and VRFs', { skip: needsGuest() }, async () => {
  const modules = ['wireguard', 'vrf', 'tun', '8021q', 'bridge', 'veth', 'macvlan', 'vxlan', ...NFTABLES];
  const { status, output } = await runInGuest(modules, path('contract.ts'));
  assert.equal(status, 0, output);
});
