/** In which order the steps of a plan are made: writes in ranks, one rank after another, within which order means nothing. Pure. */
import type { Json } from '@vrouter/core/json.ts';
import { linksOf, type Step } from './compare.ts';
import { type Kind, keyOf, type Thing } from './things.ts';

/** `release`: a change in place of a peer that only lets go of prefixes that another wants. */
export type Verb = 'create' | 'change' | 'release' | 'delete';

export interface Write {
  readonly step: Step;
  readonly verb: Verb;
  /** What must have been done, or this is not tried. */
  readonly needs: readonly Write[];
}

/**
 * What goes first: vrouters, which everything is in. Then all that goes, what uses others before what is used; so that names, keys,
 * prefixes and ports are free for whoever gets them. Then what comes, the other way round.
 */
const deleteRank: { readonly [K in Kind]: number } = {
  vrouter: 0,
  natSettings: 1,
  peer: 1,
  route: 1,
  masquerade: 1,
  publishedPort: 1,
  floatingIp: 1,
  hostInterface: 2,
  port: 2,
  vrf: 3,
};
const RELEASE_RANK = 4;
const createRank: { readonly [K in Kind]: number } = {
  vrouter: 0,
  vrf: 5,
  hostInterface: 6,
  port: 6,
  peer: 7,
  natSettings: 7,
  route: 8,
  masquerade: 8,
  publishedPort: 8,
  floatingIp: 8,
};
const RANKS = 9;

/** The writes of a plan by rank; ranks without any are left out. */
export function ranksOf(steps: readonly Step[]): Write[][] {
  const ranks: Write[][] = Array.from({ length: RANKS }, () => []);
  const put = (rank: number, verb: Verb, step: Step, needs: readonly Write[] = []): Write => {
    const write = { step, verb, needs };
    ranks[rank]!.push(write);
    return write;
  };
  const claims = claimsOf(steps);
  const gone = new Map<Step, Write>();
  for (const step of steps) {
    const rank = deleteRank[step.kind];
    if (step.action === 'delete' || step.action === 'replace') gone.set(step, put(rank, 'delete', step));
    else if (step.action === 'change' && released(step).some((prefix) => isWantedElsewhere(claims, step, prefix)))
      gone.set(step, put(RELEASE_RANK, 'release', step));
  }
  // In the order of their ranks, so that what is needed is there when it is looked for.
  const made = new Map<string, Write>();
  const coming = steps.filter(({ action }) => action === 'create' || action === 'change' || action === 'replace');
  for (const step of coming.toSorted((a, b) => createRank[a.kind] - createRank[b.kind])) {
    const before = gone.get(step);
    const needs = [...(before === undefined ? [] : [before]), ...neededBy(step, made)];
    const write = put(createRank[step.kind], step.action === 'change' ? 'change' : 'create', step, needs);
    // What is made anew was there before: then what needs it is tried, whatever came of it.
    if (step.action === 'create') made.set(whole(step.vrouter, keyOf(step)), write);
  }
  return ranks.filter((rank) => rank.length > 0);
}

function neededBy(step: Step, made: ReadonlyMap<string, Write>): Write[] {
  const { vrouter, kind, wanted } = step;
  const keys = kind === 'vrouter' ? [] : [keyOf({ kind: 'vrouter', id: vrouter })];
  const vrf = wanted?.fields.vrf;
  if (kind !== 'vrouter' && typeof vrf === 'string') keys.push(keyOf({ kind: 'vrf', id: vrf }));
  for (const id of wanted === null ? [] : linksOf(wanted))
    keys.push(keyOf({ kind: 'hostInterface', id }), keyOf({ kind: 'port', id }));
  return keys.map((key) => made.get(whole(vrouter, key))).filter((write) => write !== undefined);
}

/** Who wants which prefix: by vrouter and prefix the steps that bring it. */
function claimsOf(steps: readonly Step[]): ReadonlyMap<string, ReadonlySet<Step>> {
  const claims = new Map<string, Set<Step>>();
  for (const step of steps) {
    if (step.wanted === null || step.action === 'refuse') continue;
    const before = new Set(step.present === null ? [] : prefixesOf(step.present));
    for (const prefix of prefixesOf(step.wanted)) {
      if (before.has(prefix)) continue;
      const key = whole(step.vrouter, prefix);
      const there = claims.get(key);
      if (there === undefined) claims.set(key, new Set([step]));
      else there.add(step);
    }
  }
  return claims;
}

function isWantedElsewhere(claims: ReadonlyMap<string, ReadonlySet<Step>>, step: Step, prefix: string): boolean {
  const wanting = claims.get(whole(step.vrouter, prefix));
  return wanting !== undefined && (wanting.size > 1 || !wanting.has(step));
}

/** Prefixes that a change in place lets go of. */
export function released({ wanted, present }: Step): string[] {
  if (wanted === null || present === null) return [];
  const now = new Set(prefixesOf(wanted));
  return prefixesOf(present).filter((prefix) => !now.has(prefix));
}

/** What leads somewhere by itself: allowed IPs, routes, addresses of interfaces and, of ports, the networks beside them. */
function prefixesOf({ kind, fields }: Thing): string[] {
  if (kind === 'peer') return texts(fields.allowedIps);
  if (kind === 'route') return texts([fields.prefix ?? null]);
  if (kind === 'vrouter') return texts(fields.networks);
  if (kind !== 'hostInterface' && kind !== 'port') return [];
  return texts(fields.addresses).map((address) => address.replace(/\/\d+$/, address.includes(':') ? '/128' : '/32'));
}

function texts(list: Json | undefined): string[] {
  return ((list ?? []) as readonly Json[]).filter((one) => typeof one === 'string');
}

function whole(vrouter: string, key: string): string {
  return `${vrouter} ${key}`;
}
