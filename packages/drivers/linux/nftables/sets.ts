/**
 * The sets of our table. Base sets are there once; a group of sets is there for each VRF, some more for each length of prefixes in it whose
 * sources are translated, and one or two for each pool. `4` and `6` are the families.
 */
import type { SetSpec } from '../netlink/nftables/set.ts';

export type Family = 4 | 6;
export const families: readonly Family[] = [4, 6];
export const addressBits = (family: Family): number => (family === 4 ? 32 : 128);
const addressType = (family: Family) => (family === 4 ? 'ipv4_addr' : 'ipv6_addr');

const set = (name: string, key: SetSpec['key'], counter = false): SetSpec => ({ name, key, data: null, counter });
const map = (name: string, key: SetSpec['key'], data: SetSpec['data']): SetSpec => ({
  name,
  key,
  data,
  counter: false,
});

export const baseSets: readonly SetSpec[] = [
  // Links that we know, and what is asked of them. `same`: by which a packet comes and leaves, the same one.
  set('links', ['ifname']),
  set('same', ['ifname', 'ifname']),
  set('clamp', ['ifname']),
  set('strict', ['ifname']),
  set('loose', ['ifname']),
  // Isolation: links that are kept apart, those of them that have no outside, what was dropped.
  set('guarded', ['ifname']),
  set('within', ['ifname', 'ifname']),
  set('internal', ['ifname']),
  set('dropped', ['ifname'], true),
  // Their gateways' addresses, and whose they are.
  map('gateway4', ['ipv4_addr'], ['ifname']),
  map('gateway6', ['ipv6_addr'], ['ifname']),
  // Protocols that have ports, or numbers that do instead.
  set('ported', ['inet_proto']),
  // Links of other VRFs than the default one, and the chains of these.
  map('vrf_dnat', ['ifname'], 'verdict'),
  map('vrf_output', ['ifname'], 'verdict'),
  map('vrf_snat', ['ifname'], 'verdict'),
  map('vrf_published', ['ifname'], 'verdict'),
  map('vrf_zone', ['ifname'], ['mark']),
];

/** ICMP has identifiers where others have ports. */
export const PORTED: readonly number[] = [6, 17, 132, 1, 58];

export function groupSets(vrf: string): readonly SetSpec[] {
  return families.flatMap((f) => {
    const ip = addressType(f);
    const any = ['inet_proto', 'inet_service'] as const;
    const at = [ip, ...any] as const;
    return [
      map(`port${f}.${vrf}`, any, [ip, 'inet_service']),
      map(`port${f}at.${vrf}`, at, [ip, 'inet_service']),
      set(`seen${f}.${vrf}`, any, true),
      set(`seen${f}at.${vrf}`, at, true),
      set(`closed${f}.${vrf}`, any),
      set(`closed${f}at.${vrf}`, at),
      map(`float${f}.${vrf}`, [ip], [ip]),
      map(`host${f}.${vrf}`, [ip], [ip]),
      set(`closedhost${f}.${vrf}`, [ip]),
    ];
  });
}

export function lengthSets(vrf: string, f: Family, bits: number): readonly SetSpec[] {
  const ip = addressType(f);
  const end = `${f}_${bits}.${vrf}`;
  return [
    set(`leave${end}`, [ip, 'ifname']),
    map(`leavepool${end}`, [ip, 'ifname'], 'verdict'),
    set(`any${end}`, [ip]),
    map(`anypool${end}`, [ip], 'verdict'),
  ];
}

export function poolSet(id: string, f: Family): SetSpec {
  return map(`pool${f}.${id}`, ['mark'], [addressType(f)]);
}

export const poolChain = (id: string): string => `pool.${id}`;

/** What the name of a set says: its part, family, prefix length, and VRF or pool. Null: none of ours. */
export interface SetName {
  readonly part: string;
  readonly family: Family;
  readonly bits: number | null;
  readonly of: string;
}

export function parseSetName(name: string): SetName | null {
  const parsed = /^([a-z]+)([46])(at)?(?:_(\d{1,3}))?\.(.+)$/.exec(name);
  if (parsed === null) return null;
  const [, part, family, at = '', bits, of] = parsed;
  return {
    part: `${part}${at}`,
    family: family === '4' ? 4 : 6,
    bits: bits === undefined ? null : Number(bits),
    of: of!,
  };
}
