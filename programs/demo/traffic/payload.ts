/**
 * What the demo's packets carry, so that the far end can tell whether what came is what was sent:
 *
 *   0        4        8        12                      44
 *   +--------+--------+--------+-----------------------+------------- - -
 *   | "vrdp" |  run   |  seq   | SHA-256 of all else   | filler
 *   +--------+--------+--------+-----------------------+------------- - -
 */
import { createHash } from 'node:crypto';

export const PAYLOAD_MIN_BYTES = 44;
const MAGIC = 0x76726470;

export interface Payload {
  /** Names one exchange; what an earlier one left in the pipe is not counted for it. */
  readonly run: number;
  readonly seq: number;
}

/** `size` bytes, at least PAYLOAD_MIN_BYTES. The filler differs from packet to packet. */
export function makePayload(run: number, seq: number, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(PAYLOAD_MIN_BYTES, size));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, run);
  view.setUint32(8, seq);
  for (let i = PAYLOAD_MIN_BYTES; i < bytes.length; i++) bytes[i] = Math.imul(seq + 1, 31 * i + 17) >>> 11;
  bytes.set(digest(bytes), 12);
  return bytes;
}

/** Null: not one of ours, or damaged on the way. */
export function readPayload(bytes: Uint8Array): Payload | null {
  if (bytes.length < PAYLOAD_MIN_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC || !digest(bytes).equals(bytes.subarray(12, PAYLOAD_MIN_BYTES))) return null;
  return { run: view.getUint32(4), seq: view.getUint32(8) };
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes.subarray(0, 12)).update(bytes.subarray(PAYLOAD_MIN_BYTES)).digest();
}
