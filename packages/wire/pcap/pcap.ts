/**
 * Classic capture files, draft-ietf-opsawg-pcap sections 4 and 5. Written little-endian with microseconds; read in either order and
 * with nanoseconds too.
 *
 *   file     | magic | major, minor | 0 | 0 | snapLen | link type |      24 bytes
 *   record   | seconds | microseconds | captured | original | bytes ...
 */

export const PCAP_HEADER_LEN = 24;
export const PCAP_RECORD_LEN = 16;
/** Packets begin with their IPv4 or IPv6 header. */
export const LINKTYPE_RAW = 101;
/** Frames of an Ethernet. */
export const LINKTYPE_ETHERNET = 1;

const MAGIC_MICRO = 0xa1b2c3d4;
const MAGIC_NANO = 0xa1b23c4d;
/** Longest packet that a reader believes, as in other readers. */
const MAX_CAPTURED = 262_144;

/** What a file starts with. `snapLen`: no record holds more bytes of a packet than this. */
export function pcapHeader(linkType: number, snapLen: number): Uint8Array {
  const bytes = new Uint8Array(PCAP_HEADER_LEN);
  const v = new DataView(bytes.buffer);
  v.setUint32(0, MAGIC_MICRO, true);
  v.setUint16(4, 2, true);
  v.setUint16(6, 4, true);
  v.setUint32(16, snapLen, true);
  v.setUint32(20, linkType, true);
  return bytes;
}

/** One packet: `length` bytes at `at`, of the `originalLength` that it had. Times before 1970 or after 2106 do not fit and wrap. */
export function pcapRecord(
  unixMs: number,
  bytes: Uint8Array,
  at: number,
  length: number,
  originalLength: number,
): Uint8Array {
  const record = new Uint8Array(PCAP_RECORD_LEN + length);
  const v = new DataView(record.buffer);
  const seconds = Math.floor(unixMs / 1000);
  v.setUint32(0, seconds, true);
  v.setUint32(4, Math.floor((unixMs - seconds * 1000) * 1000), true);
  v.setUint32(8, length, true);
  v.setUint32(12, originalLength, true);
  record.set(bytes.subarray(at, at + length), PCAP_RECORD_LEN);
  return record;
}

export interface PcapPacket {
  readonly unixMs: number;
  /** A view of the file, not a copy. */
  readonly data: Uint8Array;
  readonly originalLength: number;
}

export interface PcapFile {
  readonly linkType: number;
  readonly snapLen: number;
  readonly packets: readonly PcapPacket[];
}

/** Null when the bytes are no capture file, or one that ends in the middle of a record. */
export function parsePcap(bytes: Uint8Array): PcapFile | null {
  if (bytes.length < PCAP_HEADER_LEN) return null;
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = isMagic(v.getUint32(0, true));
  if (!little && !isMagic(v.getUint32(0))) return null;
  const unitsPerMs = v.getUint32(0, little) === MAGIC_NANO ? 1_000_000 : 1000;
  // The top bits of the link type tell of frame check sequences.
  const linkType = v.getUint32(20, little) & 0xfffffff;
  const packets: PcapPacket[] = [];
  let at = PCAP_HEADER_LEN;
  while (at < bytes.length) {
    if (bytes.length - at < PCAP_RECORD_LEN) return null;
    const captured = v.getUint32(at + 8, little);
    if (captured > MAX_CAPTURED || captured > bytes.length - at - PCAP_RECORD_LEN) return null;
    const start = at + PCAP_RECORD_LEN;
    packets.push({
      unixMs: v.getUint32(at, little) * 1000 + v.getUint32(at + 4, little) / unitsPerMs,
      data: bytes.subarray(start, start + captured),
      originalLength: v.getUint32(at + 12, little),
    });
    at = start + captured;
  }
  return { linkType, snapLen: v.getUint32(16, little), packets };
}

function isMagic(value: number): boolean {
  return value === MAGIC_MICRO || value === MAGIC_NANO;
}
