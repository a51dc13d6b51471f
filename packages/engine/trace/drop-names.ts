/** The last drop that was counted, as the counters note it (positive: the graph's reason, negative: the WireGuard mind's), in words. */
import { WireguardDrop } from '@vrouter/protocols/wireguard/drops.ts';
import { dropReasons } from '../graph/drops.ts';

const wireguardNames = new Map<number, string>(Object.entries(WireguardDrop).map(([name, number]) => [number, name]));

export function dropName(noted: number): string {
  return noted > 0 ? (dropReasons[noted] ?? 'none') : `wireguard.${wireguardNames.get(-noted) ?? 'none'}`;
}

/** Where the inner packet stands in a datagram that was opened in place. */
export const INNER_AT = 16;

/** Whether a datagram dropped for this was opened before. */
export function isReadableDrop(noted: number): boolean {
  return noted === -WireguardDrop.sourceNotAllowed;
}
