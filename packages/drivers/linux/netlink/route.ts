/** Routes: struct rtmsg (rtnetlink(7); linux/rtnetlink.h). */
import type { Prefix } from '@vrouter/core/prefix.ts';
import { addressLength } from './address.ts';
import type { Message } from './answers.ts';
import { Attributes } from './attributes.ts';
import { familyOf, MessageFlag, MessageType, MessageWriter } from './message.ts';

const RTMSG_LEN = 12;
/** struct rtnexthop: length, flags, weight less one, link; attributes follow. */
const RTNEXTHOP_LEN = 8;
const RT_TABLE_COMPAT = 252;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;
const RTN_BLACKHOLE = 6;
const RTN_UNREACHABLE = 7;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_UNIVERSE = 0;
const RTM_F_CLONED = 0x200;
const RTNH_F_ONLINK = 4;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
/**
 * Routes with this protocol are ours (intent/docs/objects.md). A number that neither linux/rtnetlink.h (RTPROT_*, of which 186 to 192 are
 * routing protocols' own: BGP, IS-IS, OSPF, RIP, EIGRP) nor iproute2's rt_protos gives to anybody: a daemon that cleans up after itself
 * by protocol must not find ours, nor we its. 118 is the letter v.
 */
export const ROUTE_PROTOCOL = 118;

export interface NextHop {
  /** Number of the link. */
  readonly link: number;
  /** Null: what it is for is on the link itself. */
  readonly gateway: Uint8Array | null;
  /** Share among several, 1 to 256. */
  readonly weight: number;
  /** The gateway is on the link whatever addresses say. */
  readonly onLink: boolean;
}

export type RouteTarget =
  | { readonly type: 'unicast'; readonly hops: readonly NextHop[] }
  | { readonly type: 'blackhole' }
  | { readonly type: 'unreachable' };

export interface RouteRow {
  readonly table: number;
  readonly prefix: Prefix;
  readonly protocol: number;
  /** Less is better. The kernel makes 1024 of an IPv6 route's 0. */
  readonly metric: number;
  readonly target: RouteTarget;
}

/** A route of ours as it should be. */
export interface OurRoute {
  readonly table: number;
  readonly prefix: Prefix;
  readonly metric: number;
  readonly target: RouteTarget;
  /** Source of what the host itself sends. */
  readonly preferredSource?: Uint8Array;
}

/** Puts it there, in the place of one that has the same table, prefix and metric. */
export function replaceRoute(route: OurRoute): Uint8Array {
  return write(MessageType.newRoute, MessageFlag.create | MessageFlag.replace, route);
}

/** Never takes a prefix from a route that is there: the kernel answers EEXIST. */
export function createRoute(route: OurRoute): Uint8Array {
  return write(MessageType.newRoute, MessageFlag.create | MessageFlag.exclusive, route);
}

/** Takes away our own route alone: the kernel compares protocol, metric and target too. */
export function deleteRoute(route: OurRoute): Uint8Array {
  return write(MessageType.deleteRoute, 0, route);
}

/** Out of a link, in the main table; `createRoute` for hosts that have little to say. */
export function addRoute(index: number, prefix: Prefix): Uint8Array {
  return createRoute(outOf(index, prefix));
}

export function removeRoute(index: number, prefix: Prefix): Uint8Array {
  return deleteRoute(outOf(index, prefix));
}

/** All of a family, in all tables; with a table, of a kernel that looks at questions strictly (4.20), those in it. */
export function askRoutes(family: number, table = 0): Uint8Array {
  const body = new Uint8Array(RTMSG_LEN);
  body[0] = family;
  const writer = new MessageWriter(MessageType.getRoute, 0, body);
  if (table !== 0) writer.attributeU32(RTA_TABLE, table);
  return writer.done();
}

const attributes = new Attributes(RTA_VIA);
const ofHop = new Attributes(RTA_VIA);

/** Null: this is no route of what people or programs have set (the kernel's own for its addresses and caches are not). */
export function parseRoute({ view, type, body, end }: Message): RouteRow | null {
  const known = type === MessageType.newRoute || type === MessageType.deleteRoute;
  if (!known || end - body < RTMSG_LEN) return null;
  const length = addressLength(view.getUint8(body));
  const bits = view.getUint8(body + 1);
  if (length === 0 || bits > length * 8 || (view.getUint32(body + 8, true) & RTM_F_CLONED) !== 0) return null;
  attributes.read(view, body + RTMSG_LEN, end);
  const address = attributes.bytes(RTA_DST, length) ?? new Uint8Array(length);
  const target = targetOf(view, view.getUint8(body + 7), length);
  if (target === null) return null;
  return {
    table: attributes.u32(RTA_TABLE) ?? view.getUint8(body + 4),
    prefix: { address, bits },
    protocol: view.getUint8(body + 5),
    metric: attributes.u32(RTA_PRIORITY) ?? 0,
    target,
  };
}

function targetOf(view: DataView, type: number, length: number): RouteTarget | null {
  if (type === RTN_BLACKHOLE) return { type: 'blackhole' };
  if (type === RTN_UNREACHABLE) return { type: 'unreachable' };
  if (type !== RTN_UNICAST) return null;
  if (!attributes.has(RTA_MULTIPATH)) {
    const link = attributes.u32(RTA_OIF) ?? 0;
    return { type: 'unicast', hops: [{ link, gateway: gatewayOf(attributes, length), weight: 1, onLink: false }] };
  }
  const hops: NextHop[] = [];
  const begin = attributes.offsetOf(RTA_MULTIPATH);
  const end = begin + attributes.lengthOf(RTA_MULTIPATH);
  for (let at = begin; at + RTNEXTHOP_LEN <= end; ) {
    const size = view.getUint16(at, true);
    if (size < RTNEXTHOP_LEN || at + size > end) break;
    ofHop.read(view, at + RTNEXTHOP_LEN, at + size);
    hops.push({
      link: view.getInt32(at + 4, true),
      gateway: gatewayOf(ofHop, length),
      weight: view.getUint8(at + 3) + 1,
      onLink: (view.getUint8(at + 2) & RTNH_F_ONLINK) !== 0,
    });
    at += (size + 3) & ~3;
  }
  return { type: 'unicast', hops };
}

/** RTA_VIA is a gateway of the other family (RFC 5549): its family, then its address. */
function gatewayOf(from: Attributes, length: number): Uint8Array | null {
  return from.bytes(RTA_GATEWAY, length) ?? from.bytes(RTA_VIA, 6, 18)?.subarray(2) ?? null;
}

function outOf(link: number, prefix: Prefix): OurRoute {
  const hops = [{ link, gateway: null, weight: 1, onLink: false }];
  return { table: RT_TABLE_MAIN, prefix, metric: 0, target: { type: 'unicast', hops } };
}

function write(type: number, flags: number, { table, prefix, metric, target, preferredSource }: OurRoute): Uint8Array {
  const { address, bits } = prefix;
  const body = new Uint8Array(RTMSG_LEN);
  body[0] = familyOf(address);
  body[1] = bits;
  body[4] = table < 256 ? table : RT_TABLE_COMPAT;
  body[5] = ROUTE_PROTOCOL;
  body[6] = scopeOf(address, target);
  body[7] = target.type === 'unicast' ? RTN_UNICAST : target.type === 'blackhole' ? RTN_BLACKHOLE : RTN_UNREACHABLE;
  const hops = target.type === 'unicast' ? target.hops : [];
  if (hops.length === 1 && hops[0]!.onLink) new DataView(body.buffer).setUint32(8, RTNH_F_ONLINK, true);
  const writer = new MessageWriter(type, flags, body);
  if (bits > 0) writer.attribute(RTA_DST, address);
  if (table >= 256) writer.attributeU32(RTA_TABLE, table);
  if (metric !== 0) writer.attributeU32(RTA_PRIORITY, metric);
  if (preferredSource !== undefined) writer.attribute(RTA_PREFSRC, preferredSource);
  if (hops.length === 1) writeHop(writer, address.length, hops[0]!, true);
  if (hops.length > 1) writer.nested(RTA_MULTIPATH, () => writeHops(writer, address.length, hops));
  return writer.done();
}

function writeHops(writer: MessageWriter, length: number, hops: readonly NextHop[]): void {
  for (const hop of hops) {
    const head = new Uint8Array(RTNEXTHOP_LEN);
    head[2] = hop.onLink ? RTNH_F_ONLINK : 0;
    head[3] = hop.weight - 1;
    new DataView(head.buffer).setInt32(4, hop.link, true);
    const at = writer.raw(head);
    writeHop(writer, length, hop, false);
    writer.patchU16(at, writer.since(at));
  }
}

function writeHop(writer: MessageWriter, length: number, { link, gateway }: NextHop, alone: boolean): void {
  if (alone) writer.attributeU32(RTA_OIF, link);
  if (gateway === null) return;
  if (gateway.length === length) writer.attribute(RTA_GATEWAY, gateway);
  else writer.attribute(RTA_VIA, Uint8Array.of(familyOf(gateway), 0, ...gateway));
}

/** IPv4 asks that what needs no gateway be of the link; IPv6 knows no scopes of routes. */
function scopeOf(address: Uint8Array, target: RouteTarget): number {
  const direct = target.type === 'unicast' && target.hops.every((hop) => hop.gateway === null);
  return address.length === 4 && direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}
