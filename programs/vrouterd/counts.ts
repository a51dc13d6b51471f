/** Small sums for statistics. */
import type { NetworkInterfaceInfo } from 'node:os';

/** Routes by VRF, of their keys `route/VRF/PREFIX`: those that the plane has, and those that it could not take. */
export function routeCounts(
  observed: Iterable<string>,
  failing: Iterable<string>,
): { [vrf: string]: { programmed: number; failed: number } } {
  const counts: { [vrf: string]: { programmed: number; failed: number } } = {};
  const countOf = (key: string): { programmed: number; failed: number } | null => {
    const [kind, vrf] = key.split('/');
    if (kind !== 'route' || vrf === undefined) return null;
    counts[vrf] ??= { programmed: 0, failed: 0 };
    return counts[vrf];
  };
  for (const key of observed) {
    const count = countOf(key);
    if (count !== null) count.programmed++;
  }
  for (const key of failing) {
    const count = countOf(key);
    if (count !== null) count.failed++;
  }
  return counts;
}

/** The MAC address of the first interface that has one, by name; null where there is none. */
export function firstMac(interfaces: {
  readonly [name: string]: readonly NetworkInterfaceInfo[] | undefined;
}): string | null {
  for (const name of Object.keys(interfaces).sort())
    for (const { internal, mac } of interfaces[name] ?? []) if (!internal && /[1-9a-f]/.test(mac)) return mac;
  return null;
}
