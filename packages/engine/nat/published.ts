/** Published ports: ranges of an own address that lead to an inside address. Ranges of one address and protocol never overlap. */
import { realm } from './mappings.ts';
import type { PortSet } from './ports.ts';

export interface PublishedRange {
  /** Index of its rule. */
  readonly rule: number;
  readonly protocol: number;
  readonly vrf: number;
  /** 0 is every own address. */
  readonly address: number;
  readonly firstPort: number;
  readonly lastPort: number;
  readonly toAddress: number;
  /** What `firstPort` leads to; the others follow. */
  readonly toPort: number;
  readonly hairpin: boolean;
  /** 1 by link index for those that `address` stands on or is in a network of; null when it is none's alone: any link may lead to who asks it. */
  readonly reachedBy: Uint8Array | null;
}

export class Published {
  /** By protocol and VRF, sorted by address and first port. */
  readonly #lists: Map<number, PublishedRange[]>;
  /** By protocol and VRF, then by inside address. */
  readonly #inside: Map<number, Map<number, PublishedRange[]>>;

  constructor() {
    this.#lists = new Map();
    this.#inside = new Map();
  }

  replace(ranges: readonly PublishedRange[]): void {
    this.#lists.clear();
    this.#inside.clear();
    for (const range of ranges) {
      const key = realm(range.protocol, range.vrf);
      const list = this.#lists.get(key);
      if (list === undefined) this.#lists.set(key, [range]);
      else list.push(range);
      const hosts = this.#inside.get(key) ?? new Map<number, PublishedRange[]>();
      this.#inside.set(key, hosts);
      hosts.set(range.toAddress, [...(hosts.get(range.toAddress) ?? []), range]);
    }
    for (const list of this.#lists.values())
      list.sort((a, b) => keyOf(a.address, a.firstPort) - keyOf(b.address, b.firstPort));
  }

  get isEmpty(): boolean {
    return this.#lists.size === 0;
  }

  /** The range that has this port; one of the address itself goes before one of every address. */
  find(realmWord: number, address: number, port: number): PublishedRange | null {
    const list = this.#lists.get(realmWord);
    if (list === undefined) return null;
    return search(list, address, port) ?? search(list, 0, port);
  }

  /** The range that leads to this inside port; one of several, the first that was made. */
  findInside(realmWord: number, address: number, port: number): PublishedRange | null {
    const ranges = this.#inside.get(realmWord)?.get(address);
    if (ranges === undefined) return null;
    for (let i = 0; i < ranges.length; i++) {
      const { toPort, firstPort, lastPort } = ranges[i]!;
      if (port >= toPort && port <= toPort + lastPort - firstPort) return ranges[i]!;
    }
    return null;
  }

  /** Marks what is published of an address. */
  reserve(ports: PortSet, protocol: number, vrf: number, address: number): void {
    for (const range of this.#lists.get(realm(protocol, vrf)) ?? [])
      if (range.address === 0 || range.address === address) ports.reserve(range.firstPort, range.lastPort);
  }
}

function keyOf(address: number, port: number): number {
  return (address >>> 0) * 0x10000 + port;
}

function search(list: readonly PublishedRange[], address: number, port: number): PublishedRange | null {
  const key = keyOf(address, port);
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keyOf(list[middle]!.address, list[middle]!.firstPort) <= key) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return null;
  const found = list[low - 1]!;
  return found.address === address && port <= found.lastPort ? found : null;
}
