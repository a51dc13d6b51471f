/** Addresses of interfaces besides the WireGuard one: each leads somewhere, so nothing else may. */
import { formatPrefix, networkOf, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { IntentKey } from '@vrouter/intent/model/intents.ts';
import type { Head } from '../desired/head.ts';
import { claim, holderOf } from '../store/claims.ts';
import type { Tx } from '../store/schema.ts';
import { must } from './check.ts';
import { vrfOf } from './status.ts';

/** `10.99.0.1/24` is the address `10.99.0.1/32`. */
export function hostPrefixes(addresses: readonly string[]): string[] {
  return addresses.map((text, i) => {
    const { address } = must(parseInterfaceAddress(text, `addresses[${i}]`));
    return formatPrefix({ address, bits: address.length * 8 });
  });
}

/** The network beside each address, `10.99.0.0/24`; of a /32 or /128 the address itself. */
export function networksBeside(addresses: readonly string[]): string[] {
  return addresses.map((text, i) => formatPrefix(networkOf(must(parseInterfaceAddress(text, `addresses[${i}]`)))));
}

/** The interface that the prefix leads to by itself in a VRF; null: none does. */
export function interfaceWith(head: Head, vrf: string, prefix: string): string | null {
  const host = head
    .intents('hostInterface')
    .find((one) => one.vrf === vrf && hostPrefixes(one.addresses).includes(prefix));
  if (host !== undefined) return host.name;
  const port = head.intents('port').find((one) => {
    if (one.vrf !== vrf) return false;
    const addresses = addressesOf(head, one.name);
    return hostPrefixes(addresses).includes(prefix) || networksBeside(addresses).includes(prefix);
  });
  return port?.name ?? null;
}

/** Intents of the addresses of an interface, sorted by key. */
export function addressKeys(head: { keys(start: string): Iterable<string> }, name: string): IntentKey[] {
  return [...head.keys(`address/${name}/`)].sort() as IntentKey[];
}

/** `192.168.1.1/24`, sorted. */
export function addressesOf(head: { keys(start: string): Iterable<string> }, name: string): string[] {
  return addressKeys(head, name).map((key) => key.slice(`address/${name}/`.length));
}

/**
 * Nobody else may have these prefixes in the VRF; in the WireGuard interface's own, where peers get theirs, they are spoken for from now
 * on. `prefixes` has those of each address. Throws `route.exists`.
 */
export async function takePrefixes(
  tx: Tx,
  head: Head,
  owner: IntentKey,
  vrf: string,
  addresses: readonly string[],
  prefixes: readonly (readonly string[])[],
): Promise<void> {
  const own = vrf === vrfOf(head);
  const taken = new Set<string>();
  for (const [i, ofOne] of prefixes.entries()) {
    for (const prefix of new Set(ofOne)) {
      const held =
        taken.has(prefix) ||
        interfaceWith(head, vrf, prefix) !== null ||
        head.bodies.has(`route/${vrf}/${prefix}`) ||
        (own && (await holderOf(tx, head.row.id, prefix)) !== null);
      if (held) {
        const hint = `the address of ${addresses[i]}, or its network, is in use in this VRF already; choose another`;
        throw new ProblemError(problem('route.exists', hint, `addresses[${i}]`));
      }
      taken.add(prefix);
    }
  }
  if (own) await claim(tx, head.row.id, owner, [...taken]);
}
