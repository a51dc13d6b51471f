/**
 * What the engine asks of a UDP socket: batches in, batches out, nothing else. `host/udp` happens to have this shape. Nothing here
 * waits: `receive` takes what has come, `send` hands over what the kernel takes and counts the rest as lost, as UDP does.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';

/** Memory that packets lie in. One view of each kind, made once: fresh ones cost more than the work done through them. */
export interface Region {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Datagrams as rows of columns. Row i lies in `region[i]` at `offset[i]`, `length[i]` bytes long. */
export interface DatagramRows {
  readonly capacity: number;
  count: number;
  readonly region: Region[];
  readonly offset: Int32Array;
  readonly length: Int32Array;
  /** Where the row came from, or goes to. */
  readonly endpoint: Endpoint[];
}

export interface DatagramSocket {
  /** The UDP port in host order; never 0, also when the system chose it. */
  readonly localPort: number;
  /**
   * Fills rows from 0 with what has come, sets and returns `count`. The bytes lie in regions of the socket's own, with at least 64
   * spare bytes before and behind each datagram that is not coalesced, and are good until the next call. Several may share a region.
   */
  receive(into: DatagramRows): number;
  /** Sends the rows; their bytes may be overwritten when it returns. Returns how many the kernel took; the others are lost. */
  send(rows: DatagramRows): number;
  /**
   * Of the rows that the last `send` did not take, those that the system refused for what they are (no route, a broadcast address): they
   * would be refused again. The others met a full buffer.
   */
  readonly refused: number;
  /**
   * Bytes of the largest IP packet that goes to this endpoint in one piece, as far as the system has learnt; null where it does not
   * tell. Not for the packet path.
   */
  pathMtu?(to: Endpoint): number | null;
  /** Calls back on the event loop when there is something to receive, until closed. One callback at most. */
  onReadable(callback: () => void): void;
  close(): Promise<void>;
}
