/**
 * What travels in front of a frame between a kernel and whoever shares its offloads (TUN with IFF_VNET_HDR, AF_PACKET with
 * PACKET_VNET_HDR, vhost-user): struct virtio_net_hdr, linux/virtio_net.h; virtio 1.2 section 5.1.6. Ten bytes, little-endian on the
 * machines that we run on (a legacy header is in native order).
 *
 *   0       1          2            4          6                8                 10
 *   | flags | gso type | header len | gso size | checksum start | checksum offset |
 *
 * `checksum start` counts from the first byte of the frame; `checksum offset` from there.
 */

/** Bytes of the header. */
export const VNET_LEN = 10;

export const VnetFlag = {
  /** The field at start + offset holds the pseudo-header's sum; the receiver is to add the rest from start on. */
  needsChecksum: 1,
  /** Somebody has verified the checksums. */
  dataValid: 2,
} as const;

/** How the frame is to be cut. `udpDatagrams` is VIRTIO_NET_HDR_GSO_UDP_L4. */
export const VnetGso = { none: 0, tcp4: 1, udpFragments: 3, tcp6: 4, udpDatagrams: 5 } as const;
/** Bit beside the type: the first segment carries CWR (RFC 3168). */
export const VNET_GSO_ECN = 0x80;

export const vnetFlags = (v: DataView, at: number): number => v.getUint8(at);
/** `VnetGso`, without the ECN bit. */
export const vnetGso = (v: DataView, at: number): number => v.getUint8(at + 1) & ~VNET_GSO_ECN;
/** Payload bytes of each segment but the last. */
export const vnetGsoSize = (v: DataView, at: number): number => v.getUint16(at + 4, true);
export const vnetChecksumStart = (v: DataView, at: number): number => v.getUint16(at + 6, true);
export const vnetChecksumOffset = (v: DataView, at: number): number => v.getUint16(at + 8, true);

export interface VnetHeader {
  readonly flags: number;
  /** `VnetGso`, with `VNET_GSO_ECN` or without. */
  readonly gso: number;
  /** Bytes of all headers of the frame; a hint. */
  readonly headerLength: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

/** Null when there are less than ten bytes. Whether it fits its frame is `checkVnet`'s to say. */
export function parseVnet(v: DataView, at: number, end: number): VnetHeader | null {
  if (end - at < VNET_LEN) return null;
  return {
    flags: v.getUint8(at),
    gso: v.getUint8(at + 1),
    headerLength: v.getUint16(at + 2, true),
    gsoSize: vnetGsoSize(v, at),
    checksumStart: vnetChecksumStart(v, at),
    checksumOffset: vnetChecksumOffset(v, at),
  };
}

export function emitVnet(header: VnetHeader, v: DataView, at: number): void {
  writeVnet(
    v,
    at,
    header.flags,
    header.gso,
    header.headerLength,
    header.gsoSize,
    header.checksumStart,
    header.checksumOffset,
  );
}

/** As `emitVnet`, for the packet path. */
export function writeVnet(
  v: DataView,
  at: number,
  flags: number,
  gso: number,
  headerLength: number,
  gsoSize: number,
  checksumStart: number,
  checksumOffset: number,
): void {
  v.setUint8(at, flags);
  v.setUint8(at + 1, gso);
  v.setUint16(at + 2, headerLength, true);
  v.setUint16(at + 4, gsoSize, true);
  v.setUint16(at + 6, checksumStart, true);
  v.setUint16(at + 8, checksumOffset, true);
}
