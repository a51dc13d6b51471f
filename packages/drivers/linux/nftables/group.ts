/** The chains of one VRF, and of one pool. */
import {
  Ct,
  ct,
  ctOriginal,
  differs,
  type Expression,
  equals,
  Fib,
  fibType,
  hash,
  immediate,
  inSet,
  Meta,
  mapTo,
  mask,
  masquerade,
  meta,
  nat,
  network,
  notInSet,
  RTN_LOCAL,
  transport,
  verdictBy,
} from '../netlink/nftables/expression.ts';
import { SAME_LINK_LABEL } from './base.ts';
import { numberField, portField } from './fields.ts';
import {
  back,
  type ChainSpec,
  chain,
  destination,
  drop,
  goto,
  isFamily,
  jump,
  nfprotoOf,
  notGuarded,
  originalDestination,
  published,
  sameLink,
  source,
  wide,
} from './rules.ts';
import { addressBits, type Family, families, poolChain } from './sets.ts';

export const DEFAULT_VRF = 'default';
const LOCAL = numberField(RTN_LOCAL);
const LOOPBACK_NET = Uint8Array.of(127);
const LOOPBACK6 = new Uint8Array(16).fill(1, 15);

/** Lengths of prefixes by family. */
export type Lengths = { readonly [F in Family]: ReadonlySet<number> };

export function groupChains(vrf: string, lengths: Lengths): readonly ChainSpec[] {
  return [
    ...(vrf === DEFAULT_VRF
      ? [chain(`dnat.${vrf}`, ...dnat(vrf))]
      : [chain(`dnat.${vrf}`, ...vrfDnat(vrf, true)), chain(`output.${vrf}`, ...vrfDnat(vrf, false))]),
    chain(`ports.${vrf}`, ...families.flatMap((f) => ports(vrf, f))),
    chain(`snat.${vrf}`, ...snat(vrf)),
    ...families.map((f) => sourceChain(vrf, f, lengths[f])),
    chain(`published.${vrf}`, ...families.flatMap((f) => seen(vrf, f))),
  ];
}

const isLocal = (flags: number): readonly Expression[] => [fibType(flags, 0), equals(0, LOCAL)];

/** Packets that only come through keep their destination. */
function dnat(vrf: string): readonly (readonly Expression[])[] {
  return [
    // What leaves with that source comes nowhere, whatever is done with it later: it stays the host's own.
    [...isFamily(6), destination(6, 0), equals(0, LOOPBACK6), back],
    [...isLocal(Fib.daddr), jump(`ports.${vrf}`)],
    ...floats(vrf),
  ];
}

/**
 * Which addresses are those of a VRF, a kernel tells before 6.16 only of the link by which a packet comes (nft_fib: "consistent l3mdev
 * handling"). A named address is believed.
 */
function vrfDnat(vrf: string, comes: boolean): readonly (readonly Expression[])[] {
  const ofLink = comes ? [[...isLocal(Fib.daddr | Fib.iif), jump(`ports.${vrf}`)]] : [];
  return [...families.map((f) => namedPort(vrf, f)), ...ofLink, ...dnat(vrf)];
}

const floats = (vrf: string): readonly (readonly Expression[])[] =>
  families.map((f) => [
    ...isFamily(f),
    destination(f, 0),
    mapTo(0, `float${f}.${vrf}`, 0),
    nat({ type: 'dnat', family: nfprotoOf(f), address: 0 }),
  ]);

const toInside = (f: Family): Expression =>
  nat({ type: 'dnat', family: nfprotoOf(f), address: 0, ports: [wide(f), wide(f)] });

function namedPort(vrf: string, f: Family): readonly Expression[] {
  const port = wide(f);
  return [
    ...isFamily(f),
    destination(f, 0),
    meta(Meta.l4proto, port),
    transport(2, 2, port + 1),
    mapTo(0, `port${f}at.${vrf}`, 0),
    toInside(f),
  ];
}

function ports(vrf: string, f: Family): readonly (readonly Expression[])[] {
  const any = [meta(Meta.l4proto, 0), transport(2, 2, 1), mapTo(0, `port${f}.${vrf}`, 0)];
  return [namedPort(vrf, f), [...isFamily(f), ...any, toInside(f)]];
}

function snat(vrf: string): readonly (readonly Expression[])[] {
  return [
    [...published, ...came(vrf), masquerade()],
    ...(vrf === DEFAULT_VRF ? [fromLoopback] : []),
    ...families.map((f) => [
      ...outwards(vrf),
      ...isFamily(f),
      source(f, 0),
      mapTo(0, `host${f}.${vrf}`, 0),
      nat({ type: 'snat', family: nfprotoOf(f), address: 0 }),
    ]),
    ...families.map((f) => [...isFamily(f), goto(`source${f}.${vrf}`)]),
  ];
}

/** The host itself has asked for a port that it publishes, by its loopback. */
const fromLoopback: readonly Expression[] = [
  ...isFamily(4),
  network(12, 1, 0),
  equals(0, LOOPBACK_NET),
  ...published,
  masquerade(),
];

/** It leaves by the link by which it came. */
function came(vrf: string): readonly Expression[] {
  return vrf === DEFAULT_VRF ? sameLink(Meta.iifname, 'same') : [...label, differs(0, new Uint8Array(16))];
}

const label: readonly Expression[] = [ct(Ct.labels, 0), mask(0, SAME_LINK_LABEL)];

/** By another link than the one by which it came, and none that is kept apart. */
function outwards(vrf: string): readonly Expression[] {
  const other =
    vrf === DEFAULT_VRF
      ? [meta(Meta.iifname, 0), meta(Meta.oifname, 4), notInSet(0, 'same')]
      : [...label, equals(0, new Uint8Array(16))];
  return [...other, ...notGuarded];
}

/** Longest prefixes first, and of one length those for chosen links before those for any. */
export function sourceChain(vrf: string, f: Family, lengths: ReadonlySet<number>): ChainSpec {
  const rules = [...lengths]
    .sort((a, b) => b - a)
    .flatMap((bits): readonly (readonly Expression[])[] => {
      const end = `${f}_${bits}.${vrf}`;
      const prefix = [...isFamily(f), source(f, 0), ...(bits === addressBits(f) ? [] : [mask(0, netmask(f, bits))])];
      const leaving = [...prefix, meta(Meta.oifname, wide(f))];
      return [
        [...leaving, inSet(0, `leave${end}`), masquerade()],
        [...leaving, verdictBy(0, `leavepool${end}`)],
        [...prefix, inSet(0, `any${end}`), ...outwards(vrf), masquerade()],
        [...outwards(vrf), ...prefix, verdictBy(0, `anypool${end}`)],
      ];
    });
  return chain(`source${f}.${vrf}`, ...rules);
}

export function netmask(f: Family, bits: number): Uint8Array {
  return Uint8Array.from({ length: addressBits(f) / 8 }, (_, i) => 0xff00 >> Math.min(8, Math.max(0, bits - 8 * i)));
}

/** Counts flows of published ports, and drops those of the inside where it is not to reach them. */
function seen(vrf: string, f: Family): readonly (readonly Expression[])[] {
  const isSame = sameLink(vrf === DEFAULT_VRF ? Meta.iifname : Meta.sdifname, 'same');
  const port = (at: number): readonly Expression[] => [meta(Meta.l4proto, at), ctOriginal(Ct.protoDst, at + 1)];
  const named = [originalDestination(f, 0), ...port(wide(f))];
  return [
    [...isFamily(f), ...isSame, ...named, inSet(0, `closed${f}at.${vrf}`), drop],
    [...isFamily(f), ...named, inSet(0, `seen${f}at.${vrf}`), back],
    [...isFamily(f), ...isSame, ...port(0), inSet(0, `closed${f}.${vrf}`), drop],
    [...isFamily(f), ...port(0), inSet(0, `seen${f}.${vrf}`), back],
    [...isFamily(f), ...isSame, originalDestination(f, 0), inSet(0, `closedhost${f}.${vrf}`), drop],
  ];
}

export interface PoolShape {
  readonly id: string;
  readonly name: string;
  readonly ports: readonly [number, number];
  /** Addresses of each family. */
  readonly count: { readonly [F in Family]: number };
}

/** A source has one address of the pool at all times (RFC 4787 section 4.1, REQ-2). */
export function poolChains({ id, name, ports, count }: PoolShape): ChainSpec {
  const rules = families
    .filter((f) => count[f] > 0)
    .flatMap((f) => {
      const choose = [source(f, 4), hash(4, addressBits(f) / 8, count[f], 0), mapTo(0, `pool${f}.${id}`, 8)];
      const to = { type: 'snat', family: nfprotoOf(f), address: 8 } as const;
      const first = 8 + wide(f);
      return [
        [
          ...isFamily(f),
          meta(Meta.l4proto, 0),
          inSet(0, 'ported'),
          ...choose,
          ...ports.map((port, i) => immediate(portField(port), first + i)),
          nat({ ...to, ports: [first, first + 1] }),
        ],
        [...isFamily(f), ...choose, nat(to)],
      ];
    });
  return { ...chain(poolChain(id), ...rules), comment: name };
}
