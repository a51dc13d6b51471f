/**
 * Packets on their way through the graph: rows of columns. The first columns are those of `DatagramRows`, so a socket fills a batch
 * directly and a row starts out as the datagram that carried it. Nodes pass row numbers on (see graph/frame.ts) and change columns in
 * place; a row is never moved.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import type { DatagramRows, Region } from '../ports/datagram.ts';

/** Rows of a batch. */
export const BATCH_ROWS = 256;

/** Rows of the engine's batch beyond those that sockets fill: pieces of packets that were cut. */
export const SPARE_ROWS = 768;
/** Memory for packets that are made while a batch is under way: pieces, errors, datagrams put together. */
export const MADE_BYTES = 2 << 20;
/** Spare bytes before and behind a made packet, as sockets leave them. */
export const MADE_SPARE = 64;

/** The packet was made here (an echo reply): its TTL is not counted down, and no error is sent about it. */
export const ROW_OURS = 1;
/** Another worker handed it over: it is not handed on. */
export const ROW_HANDED = 2;

/** Its destination has been translated: it is an inside one now, and the packet is not translated again. */
export const ROW_NAT_IN = 0x100;

/** An error of ours about a packet whose destination had been translated. */
export const ROW_ABOUT_NAT_IN = 0x200;

export class PacketBatch implements DatagramRows {
  readonly capacity: number;
  count: number;
  readonly region: Region[];
  /** First byte of the packet in its region. In front of it lie at least 16 spare bytes. */
  readonly offset: Int32Array;
  /** Bytes of the packet. */
  readonly length: Int32Array;
  readonly endpoint: Endpoint[];
  /** Spare bytes behind the packet that belong to no other row. */
  readonly tailroom: Int32Array;
  /** Index of the link it came in by. */
  readonly ingress: Int32Array;
  /** Index of the VRF whose routes apply. */
  readonly vrf: Int32Array;
  /** What the lookup found, an index into the adjacency table. */
  readonly adjacency: Int32Array;
  /** Index of the link it leaves by. */
  readonly egress: Int32Array;
  /** ROW_ bits. */
  readonly flags: Int32Array;
  /** For rows on their way to icmp-error: why, `IcmpCause` and its argument. */
  readonly error: Int32Array;
  /** Where packets lie that were made while this batch is under way. */
  readonly made: Region;
  /** Rows from `capacity` on that pieces may take. */
  readonly spareRows: number;
  #spareUsed: number;
  #madeUsed: number;

  /** `spareRows` and `madeBytes`: room for what is made on the way; without them nothing can be. */
  constructor(capacity: number = BATCH_ROWS, spareRows: number = 0, madeBytes: number = 0) {
    const rows = capacity + spareRows;
    const nowhere = emptyRegion();
    const nobody = makeEndpoint(new Uint8Array(4), 0);
    this.capacity = capacity;
    this.count = 0;
    this.region = new Array<Region>(rows).fill(nowhere);
    this.offset = new Int32Array(rows);
    this.length = new Int32Array(rows);
    this.endpoint = new Array<Endpoint>(rows).fill(nobody);
    this.tailroom = new Int32Array(rows);
    this.ingress = new Int32Array(rows);
    this.vrf = new Int32Array(rows);
    this.adjacency = new Int32Array(rows);
    this.egress = new Int32Array(rows);
    this.flags = new Int32Array(rows);
    this.error = new Int32Array(rows);
    this.made = madeBytes === 0 ? nowhere : makeRegion(madeBytes);
    this.spareRows = spareRows;
    this.#spareUsed = 0;
    this.#madeUsed = 0;
  }

  /** A new batch begins: spare rows and made packets of the last one are gone. */
  begin(): void {
    this.#spareUsed = 0;
    this.#madeUsed = 0;
  }

  /** Whether there is room for this many more packets of together `bytes`. */
  hasRoom(packets: number, bytes: number): boolean {
    const need = bytes + packets * 2 * MADE_SPARE;
    return packets <= this.spareRows - this.#spareUsed && need <= this.made.bytes.length - this.#madeUsed;
  }

  /** Room for a made packet of `length` bytes, spare bytes around it; where it starts, -1 when all is taken. */
  reserve(length: number): number {
    if (this.#madeUsed + length + 2 * MADE_SPARE > this.made.bytes.length) return -1;
    const at = this.#madeUsed + MADE_SPARE;
    this.#madeUsed = at + length + MADE_SPARE;
    return at;
  }

  /** A spare row that has all columns of `like`. Only after `hasRoom`. */
  spareRow(like: number): number {
    const row = this.capacity + this.#spareUsed++;
    this.region[row] = this.region[like]!;
    this.offset[row] = this.offset[like]!;
    this.length[row] = this.length[like]!;
    this.endpoint[row] = this.endpoint[like]!;
    this.tailroom[row] = this.tailroom[like]!;
    this.ingress[row] = this.ingress[like]!;
    this.vrf[row] = this.vrf[like]!;
    this.adjacency[row] = this.adjacency[like]!;
    this.egress[row] = this.egress[like]!;
    this.flags[row] = this.flags[like]!;
    this.error[row] = this.error[like]!;
    return row;
  }

  /** The row's packet lies in `made` from now on. */
  moveToMade(row: number, at: number, length: number): void {
    this.region[row] = this.made;
    this.offset[row] = at;
    this.length[row] = length;
    this.tailroom[row] = MADE_SPARE;
  }
}

/** Memory for packets with its one view. */
export function makeRegion(byteLength: number): Region {
  const bytes = new Uint8Array(byteLength);
  return { bytes, view: new DataView(bytes.buffer) };
}

export function emptyRegion(): Region {
  return makeRegion(0);
}
