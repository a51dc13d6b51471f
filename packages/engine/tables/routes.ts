/**
 * Routes and own addresses, and what the lookup tables hold because of them. A prefix may be both a route and one of our addresses
 * (a /32); the address wins, as in the kernel, where the local table comes first, and the route shows again when the address goes.
 */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatPrefix, type Prefix, parseInterfaceAddress, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { DumpRow } from '../control/messages.ts';
import { AdjacencyKind } from '../state/adjacency.ts';
import type { Forwarding, Link, Vrf } from '../state/forwarding.ts';

type RouteRow = Extract<DumpRow, { is: 'route' }>;
type AddressRow = Extract<DumpRow, { is: 'address' }>;

interface Route {
  readonly prefix: Prefix;
  /** Index, -1 for a blackhole. */
  readonly link: number;
  readonly nextHop: string | null;
  readonly adjacency: number;
}

/** An address of ours in one VRF. It may stand on several links, while it moves from one to the other. */
interface Own {
  readonly host: Prefix;
  readonly adjacency: number;
  users: number;
}

export class Routes {
  readonly #forwarding: Forwarding;
  /** By VRF index, then by prefix text. */
  readonly #routes: Map<string, Route>[];
  readonly #own: Map<string, Own>[];
  /** By link index: the texts of its addresses. */
  readonly #addresses: Map<string, Prefix>[];
  /** By link index: routes that use it. */
  readonly #routesOver: number[];

  constructor(forwarding: Forwarding) {
    this.#forwarding = forwarding;
    this.#routes = [];
    this.#own = [];
    this.#addresses = [];
    this.#routesOver = [];
  }

  /** Makes the empty tables of a new VRF or link. */
  openVrf(vrf: Vrf): void {
    this.#routes[vrf.index] = new Map();
    this.#own[vrf.index] = new Map();
  }
  openLink(link: Link): void {
    this.#addresses[link.index] = new Map();
    this.#routesOver[link.index] = 0;
  }

  routesOf(vrf: Vrf): number {
    return this.#routes[vrf.index]!.size;
  }
  routesOver(link: Link): number {
    return this.#routesOver[link.index]!;
  }
  addressList(link: Link): readonly Prefix[] {
    return [...this.#addresses[link.index]!.values()];
  }
  addressesOf(link: Link): number {
    return this.#addresses[link.index]!.size;
  }

  /** Adds a route or gives it another way out. `link` null drops on purpose. */
  set(vrf: Vrf, text: string, link: Link | null, nextHop: string | null): Problem | null {
    const prefix = parsePrefix(text, 'prefix');
    if (!prefix.ok) return prefix.error;
    let hop: string | null = null;
    if (nextHop !== null) {
      if (link === null) return problem('input.invalid', 'a route with a next hop needs a link', 'nextHop');
      const address = parseIp(nextHop, 'nextHop');
      if (!address.ok) return address.error;
      if (address.value.length !== prefix.value.address.length)
        return problem('input.invalid', 'the next hop is not of the family of the prefix', 'nextHop');
      hop = formatIp(address.value);
    }
    const key = formatPrefix(prefix.value);
    const routes = this.#routes[vrf.index]!;
    const before = routes.get(key);
    const index = link?.index ?? -1;
    if (before !== undefined && before.link === index && before.nextHop === hop) return null;
    const kind = link === null ? AdjacencyKind.blackhole : AdjacencyKind.link;
    const adjacency = this.#forwarding.adjacencies.obtain(kind, index, hop);
    routes.set(key, { prefix: prefix.value, link: index, nextHop: hop, adjacency });
    if (index >= 0) this.#routesOver[index] = this.#routesOver[index]! + 1;
    this.#resolve(vrf, key, prefix.value);
    if (before !== undefined) this.#forget(before);
    return null;
  }

  /** A route that is not there is removed already. */
  remove(vrf: Vrf, text: string): Problem | null {
    const prefix = parsePrefix(text, 'prefix');
    if (!prefix.ok) return prefix.error;
    const key = formatPrefix(prefix.value);
    const route = this.#routes[vrf.index]!.get(key);
    if (route === undefined) return null;
    this.#routes[vrf.index]!.delete(key);
    this.#resolve(vrf, key, prefix.value);
    this.#forget(route);
    return null;
  }

  addAddress(link: Link, text: string): Problem | null {
    const address = parseInterfaceAddress(text, 'address');
    if (!address.ok) return address.error;
    if (!mayBeOurs(address.value.address))
      return problem('address.invalid', 'a link cannot have an unspecified, loopback or multicast address', 'address');
    const addresses = this.#addresses[link.index]!;
    const key = formatPrefix(address.value);
    if (addresses.has(key)) return null;
    addresses.set(key, address.value);
    this.#chooseSource(link);
    this.#adopt(this.#forwarding.vrfs[link.vrf]!, address.value);
    return null;
  }

  removeAddress(link: Link, text: string): Problem | null {
    const address = parseInterfaceAddress(text, 'address');
    if (!address.ok) return address.error;
    if (this.#addresses[link.index]!.delete(formatPrefix(address.value))) {
      this.#chooseSource(link);
      this.#disown(this.#forwarding.vrfs[link.vrf]!, address.value);
    }
    return null;
  }

  /** The address of each family that was added first is the one that errors come from. */
  #chooseSource(link: Link): void {
    link.address4 = null;
    link.address6 = null;
    for (const { address } of this.#addresses[link.index]!.values()) {
      if (address.length === 4) link.address4 ??= address;
      else link.address6 ??= address;
    }
  }

  /** The addresses of a link are at home in another VRF from now on. */
  moveAddresses(link: Link, from: Vrf, to: Vrf): void {
    for (const address of this.#addresses[link.index]!.values()) {
      this.#adopt(to, address);
      this.#disown(from, address);
    }
  }

  /** The first IPv4 address that a link was given, as a word; 0 when it has none. */
  firstAddress4(link: Link): number {
    for (const { address } of this.#addresses[link.index]!.values())
      if (address.length === 4) return new DataView(address.buffer, address.byteOffset).getInt32(0);
    return 0;
  }

  /** An address that is ours without standing on a link; one `disownHost` is owed for each call. */
  adoptHost(vrf: Vrf, address: Uint8Array): void {
    this.#adopt(vrf, { address, bits: 8 * address.length });
  }

  disownHost(vrf: Vrf, address: Uint8Array): void {
    this.#disown(vrf, { address, bits: 8 * address.length });
  }

  *rows(vrf: Vrf): Iterable<RouteRow> {
    for (const [key, route] of this.#routes[vrf.index]!) yield this.#row(vrf, key, route);
  }
  row(vrf: Vrf, text: string): RouteRow | null {
    const prefix = parsePrefix(text);
    const key = prefix.ok ? formatPrefix(prefix.value) : '';
    const route = this.#routes[vrf.index]!.get(key);
    return route === undefined ? null : this.#row(vrf, key, route);
  }
  *addressRows(link: Link): Iterable<AddressRow> {
    for (const address of this.#addresses[link.index]!.keys()) yield { is: 'address', link: link.name, address };
  }
  addressRow(link: Link, text: string): AddressRow | null {
    const address = parseInterfaceAddress(text);
    if (!address.ok || !this.#addresses[link.index]!.has(formatPrefix(address.value))) return null;
    return { is: 'address', link: link.name, address: formatPrefix(address.value) };
  }

  #row(vrf: Vrf, prefix: string, route: Route): RouteRow {
    const link = route.link < 0 ? null : this.#forwarding.links[route.link]!.name;
    return { is: 'route', vrf: vrf.name, prefix, link, nextHop: route.nextHop };
  }

  #adopt(vrf: Vrf, address: Prefix): void {
    const host = { address: address.address, bits: address.address.length * 8 };
    const key = formatPrefix(host);
    const own = this.#own[vrf.index]!.get(key);
    if (own !== undefined) {
      own.users++;
      return;
    }
    const adjacency = this.#forwarding.adjacencies.obtain(AdjacencyKind.local, -1, null);
    this.#own[vrf.index]!.set(key, { host, adjacency, users: 1 });
    this.#resolve(vrf, key, host);
  }

  #disown(vrf: Vrf, address: Prefix): void {
    const key = formatPrefix({ address: address.address, bits: address.address.length * 8 });
    const own = this.#own[vrf.index]!.get(key)!;
    if (--own.users > 0) return;
    this.#own[vrf.index]!.delete(key);
    this.#resolve(vrf, key, own.host);
    this.#forwarding.adjacencies.release(own.adjacency);
  }

  /** Makes the lookup table say of one prefix what the tables say. */
  #resolve(vrf: Vrf, key: string, prefix: Prefix): void {
    const adjacency = this.#own[vrf.index]!.get(key)?.adjacency ?? this.#routes[vrf.index]!.get(key)?.adjacency;
    const fib = vrf.fib(prefix.address.length);
    if (adjacency === undefined) fib.remove(prefix.address, prefix.bits);
    else fib.set(prefix.address, prefix.bits, adjacency);
  }

  #forget(route: Route): void {
    if (route.link >= 0) this.#routesOver[route.link] = this.#routesOver[route.link]! - 1;
    this.#forwarding.adjacencies.release(route.adjacency);
  }
}

function mayBeOurs(address: Uint8Array): boolean {
  const first = address[0]!;
  if (address.length === 4) return first !== 0 && first !== 127 && first < 224;
  return first !== 0xff && address.some((byte, i) => (i < 15 ? byte !== 0 : byte > 1));
}
