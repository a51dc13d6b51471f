/** What the nodes look at: links, VRFs and adjacencies by index. Only `tables/` writes here, between two breaths. */
import { StrideTrie } from '../fib/stride-trie.ts';
import type { WireguardPort } from '../ports/wireguard/port.ts';
import { AdjacencyTable } from './adjacency.ts';

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
  /** Index of its VRF. */
  vrf: number;
  /** Bytes of the largest inner packet. */
  mtu: number;
  adminUp: boolean;
  /** Wanted up, and able to carry packets. */
  operUp: boolean;
  wireguard: WireguardPort | null;

  constructor(index: number, name: string, vrf: number, mtu: number, adminUp: boolean) {
    this.index = index;
    this.name = name;
    this.vrf = vrf;
    this.mtu = mtu;
    this.adminUp = adminUp;
    this.operUp = false;
    this.wireguard = null;
  }
}

export class Forwarding {
  /** By index; removed ones are null and their index is used again. */
  readonly links: (Link | null)[];
  readonly vrfs: (Vrf | null)[];
  readonly adjacencies: AdjacencyTable;
  /** Whether any NAT rule is there: packets for us go by nat-in then. */
  natIn: boolean;
  /** By link index: 1 when packets that leave by it go by nat-out. */
  natOut: Uint8Array;

  constructor() {
    this.links = [];
    this.vrfs = [];
    this.adjacencies = new AdjacencyTable();
    this.natIn = false;
    this.natOut = new Uint8Array(0);
  }
}

/** The lowest free place of a table by index. */
export function freeIndex(table: readonly unknown[]): number {
  const hole = table.indexOf(null);
  return hole < 0 ? table.length : hole;
}
