/** The contract suite in a guest whose kernel has all that the Linux plane needs. */

import { runInGuest } from '../world/guest.ts';
import type { KernelRun } from '../world/init.ts';

/** Modules of the kernel, which nobody loads there when they are asked for. */
export const PLANE_MODULES = [
  ...['wireguard', 'vrf', 'tun', '8021q', 'bridge', 'veth', 'macvlan', 'vxlan'],
  ...['nf_tables', 'nf_conntrack', 'nf_conntrack_netlink', 'nf_nat', 'nft_chain_nat', 'nft_nat', 'nft_masq', 'nft_ct'],
  ...['nft_fib', 'nft_fib_ipv4', 'nft_fib_ipv6', 'nft_fib_inet', 'nft_hash', 'nft_numgen'],
];

/** `environment` comes on top of what the guest has. */
export function linuxContract(environment: { readonly [name: string]: string } = {}): Promise<KernelRun> {
  const said = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return runInGuest(PLANE_MODULES, new URL('contract.ts', import.meta.url).pathname, ...said);
}
