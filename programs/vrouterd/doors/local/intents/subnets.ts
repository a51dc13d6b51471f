/** Which subnets networks may have, and which one a network gets that asks for none. Pure. */
import { formatIp } from '@vrouter/core/ip.ts';
import { parsePrefix, prefixesOverlap } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { overlapProblem, prefixOf, type Taken as TakenBySomebody } from '@vrouter/intent/compile/overlap.ts';
import type { NetworkIntent } from '@vrouter/intent/model/intents.ts';

/** `by`: `network green (file)`, `eth0 of this host`. */
export interface Taken extends TakenBySomebody {
  /** One that is named may be in it all the same: a wider route, to which it is the exception. */
  readonly isWide: boolean;
  /** The host has it, whatever is said here. */
  readonly isHost: boolean;
}

type Json = { readonly [name: string]: unknown };

/** The subnets from which Docker chooses, in its order: who moves here finds the addresses that he is used to. 172.17.0.0/16 is its own bridge's. */
export const pools: readonly string[] = [
  ...Array.from({ length: 14 }, (_, i) => `172.${18 + i}.0.0/16`),
  ...Array.from({ length: 16 }, (_, i) => `192.168.${16 * i}.0/20`),
];

/** Null when all are taken. */
export function freeSubnet(taken: readonly Taken[]): string | null {
  return pools.find((pool) => taken.every(({ prefix }) => !prefixesOverlap(prefix, prefixOf(pool)))) ?? null;
}

/** A network as it came, with a subnet when it has none, and the first address of each for a gateway that is not said. */
export function withSubnets(raw: Json, free: () => string | null): Json | Problem {
  const { subnets } = raw;
  if (subnets === undefined || (Array.isArray(subnets) && subnets.length === 0)) {
    const prefix = free();
    if (prefix === null)
      return problem('pool.exhausted', 'this host has no free subnet left to choose from: name one', 'subnets');
    return { ...raw, subnets: [withGateway({ prefix })] };
  }
  return Array.isArray(subnets) ? { ...raw, subnets: subnets.map(withGateway) } : raw;
}

/** What is no subnet stays as it is, for the one who says what is wrong with it. */
function withGateway(subnet: unknown): unknown {
  if (typeof subnet !== 'object' || subnet === null || 'gateway' in subnet || !('prefix' in subnet)) return subnet;
  const parsed = typeof subnet.prefix === 'string' ? parsePrefix(subnet.prefix) : null;
  if (parsed?.ok !== true) return subnet;
  const { address, bits } = parsed.value;
  const first = new Uint8Array(address);
  if (bits < address.length * 8 - 1) first[first.length - 1]! |= 1;
  return { ...subnet, gateway: formatIp(first) };
}

/** Why the network cannot have one of its subnets; null: it can. Those in `before` it has already, whatever the host has gained since. */
export function overlapOf(
  { id, subnets }: NetworkIntent,
  before: readonly string[],
  taken: readonly Taken[],
): Problem | null {
  const own: Taken[] = [];
  for (const [i, { prefix: text }] of subnets.entries()) {
    const isOld = before.includes(text);
    const counting = [...own, ...taken].filter((one) => !one.isWide && !(isOld && one.isHost));
    const wrong = overlapProblem(text, counting, `subnets[${i}].prefix`);
    if (wrong !== null) return wrong;
    own.push({ prefix: prefixOf(text), by: `network ${id} itself`, isWide: false, isHost: false });
  }
  return null;
}
