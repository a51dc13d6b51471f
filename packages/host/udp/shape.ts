/** The shape that `@vrouter/engine/ports/datagram.ts` asks for, written down again: host imports core alone. */
import type { Endpoint } from '@vrouter/core/endpoint.ts';

export interface Region {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export interface DatagramRows {
  readonly capacity: number;
  count: number;
  readonly region: Region[];
  readonly offset: Int32Array;
  readonly length: Int32Array;
  readonly endpoint: Endpoint[];
}

/** Live counters of one socket; they only grow. */
export interface UdpCounters {
  /** Datagrams handed to the caller. */
  received: number;
  /** Messages of the kernel that held several datagrams (UDP_GRO). */
  coalesced: number;
  /** Failed receive calls; "nothing there" is no failure. */
  receiveErrors: number;
  /** Datagrams that came while the fallback's queue was full. */
  receiveDropped: number;
  /** Datagrams that the kernel took. */
  sent: number;
  /** Datagrams that it had no room for. */
  sendFull: number;
  /** Datagrams that it refused for what they are: no route, not allowed, too long, wrong family. */
  sendRefused: number;
  /** Runs that the path did not take as one (UDP_SEGMENT) and that were sent one by one. */
  sendUnbundled: number;
}

export interface UdpSocket {
  readonly localPort: number;
  readonly backend: 'recvmmsg' | 'dgram';
  readonly counters: UdpCounters;
  /** Rows of the last `send` that the system refused for what they are; the others that it did not take met a full buffer. */
  readonly refused: number;
  receive(into: DatagramRows): number;
  send(rows: DatagramRows): number;
  /** Bytes of the largest IP packet that goes there in one piece, as far as the kernel has learnt; null where it does not tell. */
  pathMtu(to: Endpoint): number | null;
  onReadable(callback: () => void): void;
  close(): Promise<void>;
}

export interface UdpOptions {
  /** The local address: `127.0.0.1`, `0.0.0.0`, or `::` for IPv6 and IPv4 at once. */
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Asked of the kernel, which may give less without privileges. Default 8 MiB. */
  readonly receiveBufferBytes?: number;
}

export const DEFAULT_BUFFER_BYTES = 8 << 20;

/** Spare bytes before and behind each datagram, for whoever encapsulates in place. */
export const SPARE_BYTES = 64;

/** Longest UDP payload that either family carries, rounded up. */
export const MAX_DATAGRAM_BYTES = 65_536;

export function makeRegion(byteLength: number): Region {
  const buffer = new ArrayBuffer(byteLength);
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
}

export function zeroCounters(): UdpCounters {
  return {
    received: 0,
    coalesced: 0,
    receiveErrors: 0,
    receiveDropped: 0,
    sent: 0,
    sendFull: 0,
    sendRefused: 0,
    sendUnbundled: 0,
  };
}

/** Throws RangeError when a row points outside of its region: the kernel would send somebody else's memory. */
export function checkRow(
  rows: { readonly region: readonly Region[]; readonly offset: Int32Array; readonly length: Int32Array },
  i: number,
): void {
  const offset = rows.offset[i]!;
  const length = rows.length[i]!;
  const room = rows.region[i]!.bytes.length;
  if (offset < 0 || length < 0 || offset + length > room)
    throw new RangeError(`row ${i}: ${length} bytes at ${offset} in a region of ${room}`);
}
