/**
 * Capture files of the next generation, draft-ietf-opsawg-pcapng sections 3.1 and 4.1 to 4.3: interfaces have names, packets a
 * direction and a comment. Written little-endian with microseconds, a section of unknown length; read only as we write it.
 *
 *   block    | type | length | body, padded to 4 ... | length again |
 *   option   | code, length | value, padded to 4 ... |      code 0 ends the list
 */

const BLOCK_SECTION = 0x0a0d0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
const OPTION_COMMENT = 1;
const OPTION_IF_NAME = 2;
const OPTION_FLAGS = 2;
/** Type and the two lengths. */
const BLOCK_LEN = 12;

/** Which way a packet went, section 4.3.1. */
export const PcapngDirection = { unknown: 0, inbound: 1, outbound: 2 } as const;
export type PcapngDirection = (typeof PcapngDirection)[keyof typeof PcapngDirection];

/** What a file starts with. */
export function pcapngSection(): Uint8Array {
  return block(BLOCK_SECTION, 16, [], (v) => {
    v.setUint32(0, BYTE_ORDER, true);
    v.setUint16(4, 1, true);
    v.setUint32(8, 0xffffffff, true);
    v.setUint32(12, 0xffffffff, true);
  });
}

/** Declares the next interface: the first of a file has number 0. `name` is UTF-8. */
export function pcapngInterface(name: Uint8Array, linkType: number, snapLen: number): Uint8Array {
  return block(BLOCK_INTERFACE, 8, [{ code: OPTION_IF_NAME, value: name }], (v) => {
    v.setUint16(0, linkType, true);
    v.setUint32(4, snapLen, true);
  });
}

export interface PcapngPacket {
  /** Number of an interface that was declared before. */
  readonly interface: number;
  readonly unixMs: number;
  readonly data: Uint8Array;
  readonly originalLength: number;
  readonly direction: PcapngDirection;
  /** UTF-8; empty for none. */
  readonly comment: Uint8Array;
}

export function pcapngPacket(packet: PcapngPacket): Uint8Array {
  const { data, direction, comment } = packet;
  const options: Option[] = [];
  if (comment.length > 0) options.push({ code: OPTION_COMMENT, value: comment });
  if (direction !== PcapngDirection.unknown)
    options.push({ code: OPTION_FLAGS, value: Uint8Array.of(direction, 0, 0, 0) });
  return block(BLOCK_PACKET, 20 + padded(data.length), options, (v, body) => {
    const micros = Math.floor(packet.unixMs * 1000);
    v.setUint32(0, packet.interface, true);
    v.setUint32(4, Math.floor(micros / 2 ** 32), true);
    v.setUint32(8, micros, true);
    v.setUint32(12, data.length, true);
    v.setUint32(16, packet.originalLength, true);
    body.set(data, 20);
  });
}

export interface PcapngFile {
  readonly interfaces: readonly { readonly name: Uint8Array; readonly linkType: number; readonly snapLen: number }[];
  readonly packets: readonly PcapngPacket[];
}

/** Null when the bytes are not what the functions above write, or end in the middle of a block. Unknown blocks are passed over. */
export function parsePcapng(bytes: Uint8Array): PcapngFile | null {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const interfaces: { name: Uint8Array; linkType: number; snapLen: number }[] = [];
  const packets: PcapngPacket[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < BLOCK_LEN) return null;
    const type = v.getUint32(at, true);
    const length = v.getUint32(at + 4, true);
    if (length < BLOCK_LEN || length % 4 !== 0 || length > bytes.length - at) return null;
    if (v.getUint32(at + length - 4, true) !== length) return null;
    const body = at + 8;
    const end = at + length - 4;
    if ((at === 0) !== (type === BLOCK_SECTION)) return null;
    if (type === BLOCK_SECTION) {
      if (end - body < 16 || v.getUint32(body, true) !== BYTE_ORDER) return null;
    } else if (type === BLOCK_INTERFACE) {
      const options = end - body < 8 ? null : parseOptions(bytes, v, body + 8, end);
      if (options === null) return null;
      const linkType = v.getUint16(body, true);
      interfaces.push({ name: options.get(OPTION_IF_NAME) ?? none, linkType, snapLen: v.getUint32(body + 4, true) });
    } else if (type === BLOCK_PACKET) {
      const packet = parsePacket(bytes, v, body, end);
      if (packet === null || packet.interface >= interfaces.length) return null;
      packets.push(packet);
    }
    at += length;
  }
  return bytes.length === 0 ? null : { interfaces, packets };
}

function parsePacket(bytes: Uint8Array, v: DataView, at: number, end: number): PcapngPacket | null {
  if (end - at < 20) return null;
  const captured = v.getUint32(at + 12, true);
  if (captured > end - at - 20) return null;
  const options = parseOptions(bytes, v, at + 20 + padded(captured), end);
  if (options === null) return null;
  const direction = (options.get(OPTION_FLAGS)?.[0] ?? 0) & 3;
  return {
    interface: v.getUint32(at, true),
    unixMs: (v.getUint32(at + 4, true) * 2 ** 32 + v.getUint32(at + 8, true)) / 1000,
    data: bytes.subarray(at + 20, at + 20 + captured),
    originalLength: v.getUint32(at + 16, true),
    direction: direction === 1 || direction === 2 ? direction : 0,
    comment: options.get(OPTION_COMMENT) ?? none,
  };
}

const none: Uint8Array = new Uint8Array(0);

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

/** By code, the last of each; null when one does not fit. */
function parseOptions(bytes: Uint8Array, v: DataView, from: number, end: number): Map<number, Uint8Array> | null {
  const options = new Map<number, Uint8Array>();
  let at = from;
  while (at < end) {
    if (end - at < 4) return null;
    const code = v.getUint16(at, true);
    const length = v.getUint16(at + 2, true);
    if (code === 0) break;
    if (length > end - at - 4) return null;
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + padded(length);
  }
  return options;
}

function block(
  type: number,
  bodyLength: number,
  options: readonly Option[],
  fill: (v: DataView, body: Uint8Array) => void,
): Uint8Array {
  const optionsLength = options.reduce((sum, { value }) => sum + 4 + padded(value.length), options.length > 0 ? 4 : 0);
  const length = BLOCK_LEN + bodyLength + optionsLength;
  const bytes = new Uint8Array(length);
  const v = new DataView(bytes.buffer);
  v.setUint32(0, type, true);
  v.setUint32(4, length, true);
  v.setUint32(length - 4, length, true);
  fill(new DataView(bytes.buffer, 8), bytes.subarray(8));
  let at = 8 + bodyLength;
  for (const { code, value } of options) {
    v.setUint16(at, code, true);
    v.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
