/**
 * The chains that are there once. What belongs to a VRF is in `group.ts`; the default VRF's is where everything goes that no map sends to
 * another's.
 *
 *     prerouting -300 raw          nothing from or to 127/8 by a wire, source checks, the zone of the VRF; sources that are none of a network's
 *                -100 prerouting   → dnat.VRF: published ports, floating addresses
 *                 -90 dns          a link that is kept apart asks no other one's gateway for names
 *     output     -300 zone         of the VRF
 *                -100 output       → dnat.VRF: the host itself reaches what it publishes
 *     forward    -150 mangle       MSS clamps
 *                   0 forward      → published.VRF counts; → guarded: isolation
 *     postrouting 100 postrouting  → snat.VRF: hairpins, floating addresses, masquerades
 */
import {
  Ct,
  CtState,
  clampMss,
  ct,
  differs,
  type Expression,
  equals,
  Fib,
  fibPresent,
  fibType,
  immediate,
  inSet,
  Meta,
  mapTo,
  mask,
  meta,
  network,
  RTN_LOCAL,
  setCtLabels,
  setCtZone,
  transport,
  verdictBy,
} from '../netlink/nftables/expression.ts';
import { Hook } from '../netlink/nftables/numbers.ts';
import { numberField, portField } from './fields.ts';
import {
  accept,
  base,
  type ChainSpec,
  chain,
  destination,
  drop,
  flowState,
  goto,
  isFamily,
  isProtocol,
  jump,
  linkIn,
  linkIs,
  published,
  sameLink,
  source,
} from './rules.ts';
import { families } from './sets.ts';

const LOOPBACK_NET = Uint8Array.of(127);
/** 169.254.0.0/16 and fe80::/10. */
const LINK_LOCAL_4 = Uint8Array.of(169, 254);
const LINK_LOCAL_6 = Uint8Array.of(0xfe, 0x80);
const LINK_LOCAL_MASK_6 = Uint8Array.of(0xff, 0xc0);
const LOCAL = numberField(RTN_LOCAL);
const TCP = 6;
const UDP = 17;
const SYN = Uint8Array.of(2);
const SYN_RST = Uint8Array.of(6);
const DNS = portField(53);
const NO = numberField(0);
/** A flow that leaves a VRF's link by that same link; the last of 128 labels. */
export const SAME_LINK_LABEL = new Uint8Array(16).fill(0x80, 15);

/**
 * The world of flows of packets that have a foreign source and came by a link that is kept apart: whether they leave it, only the forwarding
 * knows, which drops them there. What they begin is not mixed up with anybody's flows, and neighbours may talk so among themselves.
 */
export const STRAYING_ZONE = 0xffff;

const LINK_KEYS = [Meta.iifname, Meta.sdifname, Meta.oifname] as const;
const INGRESS_KEYS = [Meta.iifname, Meta.sdifname] as const;

/** There is no way back to the source by the link: no subnet of the network, and no route of ours to somebody behind a member of it. */
const straying: readonly Expression[] = [
  ...linkIn(Meta.iifname, 'guarded'),
  fibPresent(Fib.saddr | Fib.iif, 0),
  equals(0, NO),
];
const isLocal: readonly Expression[] = [fibType(Fib.daddr, 0), equals(0, LOCAL)];

const raw: readonly (readonly Expression[])[] = [
  // A VRF shows a packet a second time, as its own.
  [...linkIs(Meta.iifkind, 'vrf'), accept],
  [...linkIs(Meta.iifname, 'lo'), accept],
  [meta(Meta.iifname, 0), mapTo(0, 'vrf_zone', 0), setCtZone(0)],
  // The kernel itself would drop these, but where route_localnet is on, for published ports on 127.0.0.1.
  [...isFamily(4), network(16, 1, 0), equals(0, LOOPBACK_NET), drop],
  [...isFamily(4), network(12, 1, 0), equals(0, LOOPBACK_NET), drop],
  // Who asks whether an address is free has none (RFC 4862 section 5.4.2).
  [...isFamily(6), source(6, 0), equals(0, new Uint8Array(16)), accept],
  [...linkIn(Meta.iifname, 'strict'), fibPresent(Fib.saddr | Fib.iif, 0), equals(0, NO), drop],
  [...linkIn(Meta.iifname, 'loose'), fibPresent(Fib.saddr, 0), equals(0, NO), drop],
  // Those who look for an address or a neighbour have none yet, or one of their link (RFC 2131 section 4.1, RFC 4861 section 4.3).
  [...isFamily(4), ...straying, network(12, 2, 0), differs(0, LINK_LOCAL_4), ...isLocal, drop],
  [
    ...isFamily(6),
    ...straying,
    network(8, 2, 0),
    mask(0, LINK_LOCAL_MASK_6),
    differs(0, LINK_LOCAL_6),
    ...isLocal,
    drop,
  ],
  [...straying, immediate(portField(STRAYING_ZONE), 0), setCtZone(0)],
];

const dns = families.flatMap((f) =>
  [TCP, UDP].map((protocol) => [
    ...isFamily(f),
    ...linkIn(Meta.iifname, 'guarded'),
    ...isProtocol(protocol),
    transport(2, 2, 0),
    equals(0, DNS),
    // Another network's gateway.
    destination(f, 0),
    mapTo(0, `gateway${f}`, 0),
    fibType(Fib.daddr | Fib.iif, 0),
    differs(0, LOCAL),
    drop,
  ]),
);

const noVrf: readonly Expression[] = [meta(Meta.sdif, 0), equals(0, numberField(0))];

const forward: readonly (readonly Expression[])[] = [
  [...published, meta(Meta.sdifname, 0), verdictBy(0, 'vrf_published')],
  [...published, ...noVrf, jump('published.default')],
  // After the forwarding nobody knows any more by which of a VRF's links it came.
  [...sameLink(Meta.sdifname, 'same'), immediate(SAME_LINK_LABEL, 0), setCtLabels(0)],
  ...LINK_KEYS.map((key) => [...linkIn(key, 'guarded'), goto('guarded')]),
];

const guarded: readonly (readonly Expression[])[] = [
  ...INGRESS_KEYS.map((key) => [...sameLink(key, 'within'), accept]),
  ...LINK_KEYS.map((key) => [...linkIn(key, 'internal'), goto('denied')]),
  [...linkIn(Meta.iifname, 'guarded'), ct(Ct.zone, 0), equals(0, portField(STRAYING_ZONE)), goto('denied')],
  [...flowState(CtState.established | CtState.related), accept],
  [...flowState(CtState.invalid), goto('denied')],
  [...published, accept],
  [...linkIn(Meta.oifname, 'guarded'), goto('denied')],
];

export const baseChains: readonly ChainSpec[] = [
  base('raw', { type: 'filter', hook: Hook.prerouting, priority: -300 }, ...raw),
  base('zone', { type: 'filter', hook: Hook.output, priority: -300 }, [
    meta(Meta.oifname, 0),
    mapTo(0, 'vrf_zone', 0),
    setCtZone(0),
  ]),
  base(
    'prerouting',
    { type: 'nat', hook: Hook.prerouting, priority: -100 },
    [meta(Meta.iifname, 0), verdictBy(0, 'vrf_dnat')],
    [goto('dnat.default')],
  ),
  base('dns', { type: 'filter', hook: Hook.prerouting, priority: -90 }, ...dns),
  base(
    'output',
    { type: 'nat', hook: Hook.output, priority: -100 },
    [meta(Meta.oifname, 0), verdictBy(0, 'vrf_output')],
    [goto('dnat.default')],
  ),
  base(
    'mangle',
    { type: 'filter', hook: Hook.forward, priority: -150 },
    ...LINK_KEYS.map((key) => [...linkIn(key, 'clamp'), goto('mss')]),
  ),
  base('forward', { type: 'filter', hook: Hook.forward, priority: 0 }, ...forward),
  base(
    'postrouting',
    { type: 'nat', hook: Hook.postrouting, priority: 100 },
    // The host speaks to itself.
    [...linkIs(Meta.oifname, 'lo'), accept],
    [meta(Meta.oifname, 0), verdictBy(0, 'vrf_snat')],
    [goto('snat.default')],
  ),
  chain('mss', [...isProtocol(TCP), transport(13, 1, 0), mask(0, SYN_RST), equals(0, SYN), ...clampMss()]),
  chain('guarded', ...guarded),
  // Counted at each link that had a part in it.
  chain('denied', ...LINK_KEYS.map((key) => [meta(key, 0), inSet(0, 'dropped')]), [drop]),
];
