/**
 * What the engine asks of a socket that carries whole frames: a TUN device (IP packets), a TAP device or an AF_PACKET socket (Ethernet
 * frames). As `datagram.ts`, without endpoints: what is sent goes out of the one interface that the socket stands for. `host/frames`
 * happens to have this shape.
 */
import type { Region } from './datagram.ts';

/** Frames as rows of columns. Row i lies in `region[i]` at `offset[i]`, `length[i]` bytes long. */
export interface FrameRows {
  readonly capacity: number;
  count: number;
  readonly region: Region[];
  readonly offset: Int32Array;
  readonly length: Int32Array;
}

export interface FrameSocket {
  /** Somebody took the device away: nothing comes or goes any more, and there is no callback for it. Known after the next `receive`. */
  readonly gone: boolean;
  /**
   * Fills rows from 0 with what has come, sets and returns `count`. The bytes lie in a region of the socket's own, with at least 64
   * spare bytes before and behind each frame, and are good until the next call.
   */
  receive(into: FrameRows): number;
  /** Sends the rows; their bytes may be overwritten when it returns. Returns how many the kernel took; the others are lost. */
  send(rows: FrameRows): number;
  /** Calls back on the event loop when there is something to receive, until closed. One callback at most. */
  onReadable(callback: () => void): void;
  close(): Promise<void>;
}

/** What the machine's kernel is to have on its own side of a TUN device. Texts are canonical. */
export interface HostSide {
  readonly mtu: number;
  /** Addresses with prefix length, of the host itself. */
  readonly addresses: readonly string[];
  /** Networks that the host sends into the device. */
  readonly routes: readonly string[];
}

/** A TUN device with the kernel's side of it. Closing it takes the device away, and with it all that the kernel had of it. */
export interface TunSocket extends FrameSocket {
  /** Makes the kernel's side so. Rejects with ProblemError, and then the side is as it was. */
  configure(side: HostSide): Promise<void>;
}

/**
 * Makes the device and its kernel side. Rejects with ProblemError: `port.denied` (needs privileges), `port.inUse` (somebody has a device
 * of this name), `plane.failed` (the kernel refuses an address or a route); then there is no device.
 */
export type OpenTun = (name: string, side: HostSide) => Promise<TunSocket>;
