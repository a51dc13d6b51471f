/** Which subnets a network cannot have, since somebody would lose what is in them. Compiling asks this, and so do doors that refuse. */
import { formatPrefix, type Prefix, parsePrefix, prefixesOverlap } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Subnet } from '../model/intents.ts';

/** What somebody has already. `by`: `VLAN 100`, `eth0 of this host`. */
export interface Taken {
  readonly prefix: Prefix;
  readonly by: string;
}

/** A network of the host's own: on one of its links, or the next hop of a default route, alone. */
export interface HostNetwork {
  readonly interface: string;
  readonly prefix: Prefix;
  /** The next hop of a default route. */
  readonly isGateway: boolean;
  /** On a link that was made for somebody's intent: nothing that the host would lose. */
  readonly isOurs: boolean;
}

/** `network.overlap` with the first of these that shares an address with the prefix; null: none does. `prefix` was read once. */
export function overlapProblem(prefix: string, taken: Iterable<Taken>, field: string): Problem | null {
  const own = prefixOf(prefix);
  for (const one of taken)
    if (prefixesOverlap(one.prefix, own))
      return problem(
        'network.overlap',
        `${prefix} overlaps ${formatPrefix(one.prefix)} of ${one.by}: choose another subnet`,
        field,
      );
  return null;
}

/** Of a host's network, for people. */
export function hostText({ interface: name, isGateway }: Pick<HostNetwork, 'interface' | 'isGateway'>): string {
  return isGateway ? `this host's default route by ${name}` : `${name} of this host`;
}

/**
 * Why a network with this link cannot have its subnets on this host. One that its link has already stays, whatever the host has gained since: who
 * is in it would be cut off.
 */
export function hostOverlap(link: string, subnets: readonly Subnet[], host: readonly HostNetwork[]): Problem | null {
  const own: Taken[] = [];
  for (const [i, { prefix }] of subnets.entries()) {
    const field = `subnets[${i}].prefix`;
    const taken = isInPlace(link, prefix, host) ? own : [...own, ...takenBy(host, link)];
    const wrong = overlapProblem(prefix, taken, field);
    if (wrong !== null) return wrong;
    own.push({ prefix: prefixOf(prefix), by: 'the same network' });
  }
  return null;
}

/** Whether the link of a network has this subnet now. */
export function isInPlace(link: string, prefix: string, host: readonly HostNetwork[]): boolean {
  return host.some((one) => one.interface === link && !one.isGateway && formatPrefix(one.prefix) === prefix);
}

function takenBy(host: readonly HostNetwork[], link: string): Taken[] {
  return host
    .filter((one) => !one.isOurs && one.interface !== link)
    .map((one) => ({ prefix: one.prefix, by: hostText(one) }));
}

/** Of text that was read once. */
export function prefixOf(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new TypeError(parsed.error.message);
  return parsed.value;
}
