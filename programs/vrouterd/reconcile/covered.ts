/** Allowed IPs that are exactly an address of the gateway itself. */

import { formatIp } from '@vrouter/core/ip.ts';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import type { Observed, WireguardPeerObject } from '@vrouter/intent/model/objects.ts';

export interface Covered {
  readonly key: string;
  readonly link: string;
  readonly publicKey: string;
  readonly allowedIp: string;
}

/** Those of these peers' allowed IPs that are one address, and that an own one of a link in the same VRF. */
export function coveredAddresses(peers: readonly WireguardPeerObject[], observed: Iterable<Observed>): Covered[] {
  const vrfs = new Map<string, string>();
  const addresses: { readonly link: string; readonly address: string }[] = [];
  for (const { object } of observed) {
    if (object.kind === 'link') vrfs.set(object.name, object.vrf);
    else if (object.kind === 'address') addresses.push(object);
  }
  const own = new Set(addresses.map(({ link, address }) => `${vrfs.get(link)} ${address.replace(/\/.*$/, '')}`));
  const found: Covered[] = [];
  for (const { link, publicKey, allowedIps } of peers)
    for (const allowedIp of allowedIps) {
      const host = hostOf(allowedIp);
      if (host !== null && own.has(`${vrfs.get(link)} ${host}`))
        found.push({ key: `wireguardPeer/${link}/${publicKey}`, link, publicKey, allowedIp });
    }
  return found;
}

/** The address of a prefix that holds one alone. */
function hostOf(prefix: string): string | null {
  const parsed = parsePrefix(prefix);
  if (!parsed.ok) return null;
  const { address, bits } = parsed.value;
  return bits === address.length * 8 ? formatIp(address) : null;
}
