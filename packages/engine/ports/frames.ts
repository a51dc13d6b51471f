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

/** Frames as lists of pieces: frame f is the pieces from `firstPiece[f]` up to `firstPiece[f + 1]`. */
export interface GatheredFrames {
  readonly frames: number;
  readonly firstPiece: Int32Array;
  readonly region: readonly Region[];
  readonly offset: Int32Array;
  readonly length: Int32Array;
}

/** What became of a gathered frame: gone, taken, or refused in this shape. */
export const Fate = { lost: 0, taken: 1, refused: 2 } as const;

/** Which super-packets both sides understand. */
export interface Offloads {
  readonly tcp: boolean;
  readonly udp: boolean;
}

/** A socket of frames that begin with a virtio-net header, both ways; `ports/offload` makes a FrameSocket of it. */
export interface OffloadSocket {
  readonly gone: boolean;
  readonly offloads: Offloads;
  /** As a FrameSocket's; each row is a header and a frame, which may be a super-packet of 64 KiB. */
  receive(into: FrameRows): number;
  /** Sends frames from their pieces, in order, and says of each what became of it. */
  sendGathered(frames: GatheredFrames, fates: Uint8Array): void;
  /** Have the callback called soon, readable or not. */
  wake(): void;
  onReadable(callback: () => void): void;
  close(): Promise<void>;
}

export interface FrameSocket {
  /** Somebody took the device away: nothing comes or goes any more, and there is no callback for it. Known after the next `receive`. */
  readonly gone: boolean;
  /** Frames that came and made no sense, so far; left out where that cannot be. */
  readonly malformed?: number;
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
  /** What crosses to and from the kernel in super-packets; null or left out where nothing does. */
  readonly offloads?: Offloads | null | undefined;
  /** Makes the kernel's side so. Rejects with ProblemError, and then the side is as it was. */
  configure(side: HostSide): Promise<void>;
}

/**
 * Makes the device and its kernel side. Rejects with ProblemError: `port.denied` (needs privileges), `port.inUse` (somebody has a device
 * of this name), `plane.failed` (the kernel refuses an address or a route); then there is no device.
 */
export type OpenTun = (name: string, side: HostSide) => Promise<TunSocket>;

/** Which interface of the machine a port into an Ethernet is. */
export interface EthernetDevice {
  /** One that is there already (AF_PACKET), or a TAP device that is made for it. */
  readonly attach: 'interface' | 'tap';
  readonly device: string;
  /** 6 bytes; null takes the interface's own. A TAP needs one, since the device's own is its other side's. */
  readonly mac: Uint8Array | null;
  /** Frames with this tag alone, which the graph sees without it; null: those without a tag. */
  readonly vlan: number | null;
  /** Bytes of the largest packet: a TAP is made with it, of another interface it is not above what that takes. */
  readonly mtu: number;
}

/** A port into an Ethernet: whole frames without their check sequence, finished and of at most the MTU. */
export interface EthernetSocket extends FrameSocket {
  /** The address to speak from. */
  readonly mac: Uint8Array;
  /**
   * Packets are at most this long from now on. Rejects with ProblemError, and nothing has changed: `input.invalid` when the interface
   * takes less.
   */
  configure(mtu: number): Promise<void>;
  /** Frames that came for another VLAN, so far. */
  readonly otherVlan: number;
  /** The last `receive` met an error: the interface may have gone down. */
  readonly failed: boolean;
  /** Calls back when the interface may have changed, until closed. `lost`: no frame could pass since the last call, however shortly. */
  onChange(callback: (lost: boolean) => void): void;
  /** Whether frames can pass now. Asks the kernel: not for the packet path. */
  isUp(): boolean;
}

/**
 * Opens it. Rejects with ProblemError: `port.denied` (needs privileges), `interface.notFound`, `port.inUse` (somebody has a TAP of this
 * name), `input.invalid` (the interface takes less than the MTU), `plane.failed`.
 */
export type OpenEthernet = (device: EthernetDevice) => Promise<EthernetSocket>;
