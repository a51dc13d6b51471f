/**
 * Transport data, WireGuard paper section 5.4.6; little-endian.
 *
 *    0 type 4, zeros   4 receiver index   8 counter 8   16 ciphertext n, tag 16        32 bytes and nothing inside is a keepalive
 */
import { copyBytes, WG_DATA, wireguardType } from './message.ts';

export const DATA_HEADER_LEN = 16;
export const DATA_TAG_LEN = 16;
/** The shortest: a keepalive. */
export const DATA_MIN_LEN = DATA_HEADER_LEN + DATA_TAG_LEN;

export const dataReceiver = (v: DataView, at: number): number => v.getUint32(at + 4, true);
/** The counter's halves, unsigned. */
export const dataCounterLow = (v: DataView, at: number): number => v.getUint32(at + 8, true);
export const dataCounterHigh = (v: DataView, at: number): number => v.getUint32(at + 12, true);

/** Whether the bytes up to `end` are a data message; afterwards no accessor can fail. */
export function checkData(v: DataView, at: number, end: number): boolean {
  return end - at >= DATA_MIN_LEN && wireguardType(v, at) === WG_DATA;
}

export interface Data {
  readonly receiver: number;
  /** Unsigned 32-bit halves. */
  readonly counterLow: number;
  readonly counterHigh: number;
  /** Ciphertext and its tag, at least 16 bytes. */
  readonly sealed: Uint8Array;
}

/** Null when `checkData` refuses. `sealed` is a copy. */
export function parseData(v: DataView, at: number, end: number): Data | null {
  if (!checkData(v, at, end)) return null;
  return {
    receiver: dataReceiver(v, at),
    counterLow: dataCounterLow(v, at),
    counterHigh: dataCounterHigh(v, at),
    sealed: copyBytes(v, at + DATA_HEADER_LEN, end - at - DATA_HEADER_LEN),
  };
}

/** Bytes that `emitData` writes. */
export function dataLen(message: Data): number {
  return DATA_HEADER_LEN + message.sealed.length;
}

/** The 16 bytes in front of a packet that is sealed in place. */
export function emitDataHeader(
  v: DataView,
  at: number,
  receiver: number,
  counterLow: number,
  counterHigh: number,
): void {
  v.setUint32(at, WG_DATA, true);
  v.setUint32(at + 4, receiver, true);
  v.setUint32(at + 8, counterLow, true);
  v.setUint32(at + 12, counterHigh, true);
}

/** Throws RangeError when `sealed` has no room for a tag. */
export function emitData(message: Data, v: DataView, at: number): void {
  if (message.sealed.length < DATA_TAG_LEN) throw new RangeError('sealed data ends in a tag of 16 bytes');
  emitDataHeader(v, at, message.receiver, message.counterLow, message.counterHigh);
  new Uint8Array(v.buffer, v.byteOffset + at + DATA_HEADER_LEN, message.sealed.length).set(message.sealed);
}
