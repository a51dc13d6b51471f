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

/** The packet was made here (an echo reply): its TTL is not counted down. */
export const ROW_OURS = 1;
/** Another worker handed it over: it is not handed on. */
export const ROW_HANDED = 2;

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

  constructor(capacity: number = BATCH_ROWS) {
    const nowhere = emptyRegion();
    const nobody = makeEndpoint(new Uint8Array(4), 0);
    this.capacity = capacity;
    this.count = 0;
    this.region = new Array<Region>(capacity).fill(nowhere);
    this.offset = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
    this.endpoint = new Array<Endpoint>(capacity).fill(nobody);
    this.tailroom = new Int32Array(capacity);
    this.ingress = new Int32Array(capacity);
    this.vrf = new Int32Array(capacity);
    this.adjacency = new Int32Array(capacity);
    this.egress = new Int32Array(capacity);
    this.flags = new Int32Array(capacity);
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
