/** The shape that `@vrouter/engine/ports/frames.ts` asks for, written down again: host imports core alone. */
import type { Region } from '../udp/shape.ts';

export interface FrameRows {
  readonly capacity: number;
  count: number;
  readonly region: Region[];
  readonly offset: Int32Array;
  readonly length: Int32Array;
}

/** Live counters of one socket; they only grow. */
export interface FrameCounters {
  received: number;
  /** Failed reads; "nothing there" is no failure. A device that is down answers so. */
  receiveErrors: number;
  sent: number;
  /** Frames that the kernel did not take: queue full, device down, not an IP packet on a TUN. */
  sendLost: number;
}

export interface PacketCounters extends FrameCounters {
  /** Frames of another VLAN than the socket's: none of ours. */
  otherVlan: number;
}

/** Frames as lists of pieces: frame f is the pieces from `firstPiece[f]` up to `firstPiece[f + 1]`. */
export interface GatheredFrames {
  readonly frames: number;
  readonly firstPiece: Int32Array;
  readonly region: readonly Region[];
  readonly offset: Int32Array;
  readonly length: Int32Array;
}

/** What became of a gathered frame. */
export const Fate = { lost: 0, taken: 1, refused: 2 } as const;

/** Which super-packets both sides understand. */
export interface Offloads {
  readonly tcp: boolean;
  readonly udp: boolean;
}

export interface FrameSocket {
  readonly gone: boolean;
  readonly counters: FrameCounters;
  receive(into: FrameRows): number;
  send(rows: FrameRows): number;
  onReadable(callback: () => void): void;
  close(): Promise<void>;
}

/** A socket whose frames begin with a virtio-net header. */
export interface OffloadSocket extends FrameSocket {
  readonly offloads: Offloads;
  sendGathered(frames: GatheredFrames, fates: Uint8Array): void;
  wake(): void;
}

/** An interface of an Ethernet; the shape of the engine's. */
export interface EthernetSocket extends OffloadSocket {
  readonly counters: PacketCounters;
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** Frames come, and go by `sendGathered`, behind a virtio_net header. */
  readonly vnetHeader: boolean;
  readonly failed: boolean;
  isUp(): boolean;
}

/** struct virtio_net_hdr without the count of merged buffers, linux/virtio_net.h. */
export const VNET_HEADER_BYTES = 10;

/** Spare bytes before and behind each frame, for whoever encapsulates in place. */
export const SPARE_BYTES = 64;

/** Longest frame that any of these devices gives: an MTU of 65,535 and an Ethernet header with a VLAN tag. */
export const MAX_FRAME_BYTES = 65_535 + 18;
