/** What the nodes look at: links, VRFs and adjacencies by index. Only `tables/` writes here, between two breaths. */

import type { LinkType } from '../control/messages.ts';
import { StrideTrie } from '../fib/stride-trie.ts';
import type { EthernetPort } from '../ports/ethernet/port.ts';
import type { TunPort } from '../ports/tun/port.ts';
import type { WireguardPort } from '../ports/wireguard/port.ts';
import { AdjacencyKind, AdjacencyTable } from './adjacency.ts';

/** Longer than any packet: no MSS is cut. */
export const NO_CLAMP = 0xffff;

/** How the source of what comes in is checked, RFC 3704: strict, the way back leads out of this link; loose, there is one. */
export const SourceCheck = { off: 0, loose: 1, strict: 2 } as const;
export type SourceCheck = (typeof SourceCheck)[keyof typeof SourceCheck];

export class Vrf {
  readonly index: number;
  readonly name: string;
  /** Its number on other planes; here a label. */
  tableId: number;
  /** Prefix to adjacency. */
  readonly fib4: StrideTrie;
  readonly fib6: StrideTrie;

  constructor(index: number, name: string, tableId: number) {
    this.index = index;
    this.name = name;
    this.tableId = tableId;
    this.fib4 = new StrideTrie(8);
    this.fib6 = new StrideTrie(4);
  }

  fib(addressBytes: number): StrideTrie {
    return addressBytes === 4 ? this.fib4 : this.fib6;
  }
}

export class Link {
  readonly index: number;
  readonly name: string;
  readonly type: LinkType;
  /** Index of its VRF. */
  vrf: number;
  /** Bytes of the largest inner packet. */
  mtu: number;
  adminUp: boolean;
  /** Wanted up, and able to carry packets. */
  operUp: boolean;
  wireguard: WireguardPort | null;
  /** Of a link of this type, always; else null. */
  tun: TunPort | null;
  /** Of a link of this type, always; else null. */
  ethernet: EthernetPort | null;
  /** The first of its addresses of each family, which errors are sent from; null without. */
  address4: Uint8Array | null;
  address6: Uint8Array | null;
  /** The MTU that the MSS of SYNs in and out is cut to; NO_CLAMP without. */
  clampMtu: number;
  sourceCheck: SourceCheck;

  constructor(index: number, name: string, vrf: number, mtu: number, adminUp: boolean, type: LinkType = 'wireguard') {
    this.index = index;
    this.name = name;
    this.type = type;
    this.vrf = vrf;
    this.mtu = mtu;
    this.adminUp = adminUp;
    this.operUp = false;
    this.wireguard = null;
    this.tun = null;
    this.ethernet = null;
    this.address4 = null;
    this.address6 = null;
    this.clampMtu = NO_CLAMP;
    this.sourceCheck = SourceCheck.off;
  }
}

export class Forwarding {
  /** By index; removed ones are null and their index is used again. */
  readonly links: (Link | null)[];
  readonly vrfs: (Vrf | null)[];
  readonly adjacencies: AdjacencyTable;
  /** The row of kind `local`. */
  readonly ownAdjacency: number;
  /** Whether any NAT rule is there: packets for us go by nat-in then. */
  natIn: boolean;
  /** By link index: 1 when packets that leave by it go by nat-out. */
  natOut: Uint8Array;

  constructor() {
    this.links = [];
    this.vrfs = [];
    this.adjacencies = new AdjacencyTable();
    this.ownAdjacency = this.adjacencies.obtain(AdjacencyKind.local, -1, null);
    this.natIn = false;
    this.natOut = new Uint8Array(0);
  }
}

/** The lowest free place of a table by index. */
export function freeIndex(table: readonly unknown[]): number {
  const hole = table.indexOf(null);
  return hole < 0 ? table.length : hole;
}
