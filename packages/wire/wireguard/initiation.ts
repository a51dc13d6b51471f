/**
 * Handshake initiation, WireGuard paper section 5.4.2; 148 bytes, little-endian.
 *
 *     0 type 1, zeros      4   sender index    8 ephemeral 32   40 encrypted static 48
 *    88 encrypted time 28  116 mac1 16       132 mac2 16
 */
import { copyBytes, putBytes, WG_INITIATION, WG_MAC_LEN, wireguardType } from './message.ts';

export const INITIATION_LEN = 148;
export const INITIATION_EPHEMERAL_AT = 8;
export const INITIATION_STATIC_AT = 40;
export const INITIATION_STATIC_LEN = 48;
export const INITIATION_TIMESTAMP_AT = 88;
export const INITIATION_TIMESTAMP_LEN = 28;
export const INITIATION_MAC1_AT = 116;
export const INITIATION_MAC2_AT = 132;

export const initiationSender = (v: DataView, at: number): number => v.getUint32(at + 4, true);

/** Whether the bytes up to `end` are one initiation; afterwards no accessor can fail. */
export function checkInitiation(v: DataView, at: number, end: number): boolean {
  return end - at === INITIATION_LEN && wireguardType(v, at) === WG_INITIATION;
}

export interface Initiation {
  readonly sender: number;
  /** Unencrypted, 32 bytes. */
  readonly ephemeral: Uint8Array;
  /** 48 bytes. */
  readonly encryptedStatic: Uint8Array;
  /** 28 bytes. */
  readonly encryptedTimestamp: Uint8Array;
  /** 16 bytes each. */
  readonly mac1: Uint8Array;
  readonly mac2: Uint8Array;
}

/** Null when `checkInitiation` refuses. The fields are copies. */
export function parseInitiation(v: DataView, at: number, end: number): Initiation | null {
  if (!checkInitiation(v, at, end)) return null;
  return {
    sender: initiationSender(v, at),
    ephemeral: copyBytes(v, at + INITIATION_EPHEMERAL_AT, 32),
    encryptedStatic: copyBytes(v, at + INITIATION_STATIC_AT, INITIATION_STATIC_LEN),
    encryptedTimestamp: copyBytes(v, at + INITIATION_TIMESTAMP_AT, INITIATION_TIMESTAMP_LEN),
    mac1: copyBytes(v, at + INITIATION_MAC1_AT, WG_MAC_LEN),
    mac2: copyBytes(v, at + INITIATION_MAC2_AT, WG_MAC_LEN),
  };
}

/** Writes all 148 bytes. Throws RangeError when a field has another length. */
export function emitInitiation(message: Initiation, v: DataView, at: number): void {
  v.setUint32(at, WG_INITIATION, true);
  v.setUint32(at + 4, message.sender, true);
  putBytes(v, at + INITIATION_EPHEMERAL_AT, message.ephemeral, 32);
  putBytes(v, at + INITIATION_STATIC_AT, message.encryptedStatic, INITIATION_STATIC_LEN);
  putBytes(v, at + INITIATION_TIMESTAMP_AT, message.encryptedTimestamp, INITIATION_TIMESTAMP_LEN);
  putBytes(v, at + INITIATION_MAC1_AT, message.mac1, WG_MAC_LEN);
  putBytes(v, at + INITIATION_MAC2_AT, message.mac2, WG_MAC_LEN);
}
