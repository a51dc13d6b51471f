/** Counters of the graph in typed arrays; a number holds 2^53, which no wire fills in a lifetime. */
import { dropReasons } from './drops.ts';
import { icmpOutcomes } from './icmp-outcomes.ts';

/** What is done to packets besides forwarding them: SYNs whose MSS was lowered, packets cut, datagrams to us put together. */
export const Work = { mssClamped: 0, fragmented: 1, reassembled: 2 } as const;
export type Work = (typeof Work)[keyof typeof Work];

export class Counters {
  /** By drop reason. */
  readonly drops: Float64Array;
  /** Packets that each node has handled, by node number. */
  readonly nodes: Float64Array;
  /** Names of foreign drop reasons (the WireGuard mind's), with their counters. */
  readonly wireguardDrops: Float64Array;
  /** ICMP errors sent and not sent, by `IcmpOutcome`. */
  readonly icmp: Float64Array;
  /** By `Work`. */
  readonly work: Float64Array;
  /** The last drop, for those who watch a packet alone: the graph's reason, or minus the WireGuard mind's. 0 when they set it so. */
  lastDrop: number;
  lastDropLink: number;
  // By link index; they grow with the links.
  rxPackets: Float64Array;
  rxBytes: Float64Array;
  txPackets: Float64Array;
  txBytes: Float64Array;
  linkDrops: Float64Array;
  readonly #column: (length: number) => Float64Array;

  /**
   * `nodes`: how many nodes the graph has; `wireguardDrops`: how many reasons the WireGuard mind has; `column`: makes zeros,
   * perhaps where others can read them.
   */
  constructor(
    nodes: number,
    wireguardDrops: number,
    column: (length: number) => Float64Array = (length) => new Float64Array(length),
  ) {
    this.#column = column;
    this.drops = column(dropReasons.length);
    this.nodes = column(nodes);
    this.wireguardDrops = column(wireguardDrops);
    this.icmp = column(icmpOutcomes.length);
    this.work = column(Object.keys(Work).length);
    this.lastDrop = 0;
    this.lastDropLink = 0;
    this.rxPackets = column(8);
    this.rxBytes = column(8);
    this.txPackets = column(8);
    this.txBytes = column(8);
    this.linkDrops = column(8);
  }

  /** Counts one thing done. */
  did(work: Work): void {
    this.work[work] = this.work[work]! + 1;
  }

  /** Counts packets that end here, on the link that they came in by or should have left by. */
  drop(reason: number, link: number, packets: number = 1): void {
    this.lastDrop = reason;
    this.lastDropLink = link;
    this.drops[reason] = this.drops[reason]! + packets;
    this.linkDrops[link] = this.linkDrops[link]! + packets;
  }

  dropWireguard(reason: number, link: number): void {
    this.lastDrop = -reason;
    this.lastDropLink = link;
    this.wireguardDrops[reason] = this.wireguardDrops[reason]! + 1;
    this.linkDrops[link] = this.linkDrops[link]! + 1;
  }

  received(link: number, bytes: number): void {
    this.rxPackets[link] = this.rxPackets[link]! + 1;
    this.rxBytes[link] = this.rxBytes[link]! + bytes;
  }

  sent(link: number, bytes: number): void {
    this.txPackets[link] = this.txPackets[link]! + 1;
    this.txBytes[link] = this.txBytes[link]! + bytes;
  }

  /** Makes room for a link and starts its counters at zero. */
  openLink(link: number): void {
    if (link >= this.rxPackets.length) {
      const size = Math.max(link + 1, 2 * this.rxPackets.length);
      this.rxPackets = this.#grown(this.rxPackets, size);
      this.rxBytes = this.#grown(this.rxBytes, size);
      this.txPackets = this.#grown(this.txPackets, size);
      this.txBytes = this.#grown(this.txBytes, size);
      this.linkDrops = this.#grown(this.linkDrops, size);
    }
    this.rxPackets[link] = 0;
    this.rxBytes[link] = 0;
    this.txPackets[link] = 0;
    this.txBytes[link] = 0;
    this.linkDrops[link] = 0;
  }

  #grown(from: Float64Array, size: number): Float64Array {
    const to = this.#column(size);
    to.set(from);
    return to;
  }
}
