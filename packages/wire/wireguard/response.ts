/**
 * Handshake response, WireGuard paper section 5.4.3; 92 bytes, little-endian.
 *
 *    0 type 2, zeros   4 sender index   8 receiver index   12 ephemeral 32   44 encrypted nothing 16   60 mac1 16   76 mac2 16
 */
import { copyBytes, putBytes, WG_MAC_LEN, WG_RESPONSE, wireguardType } from './message.ts';

export const RESPONSE_LEN = 92;
export const RESPONSE_EPHEMERAL_AT = 12;
export const RESPONSE_EMPTY_AT = 44;
export const RESPONSE_EMPTY_LEN = 16;
export const RESPONSE_MAC1_AT = 60;
export const RESPONSE_MAC2_AT = 76;

export const responseSender = (v: DataView, at: number): number => v.getUint32(at + 4, true);
export const responseReceiver = (v: DataView, at: number): number => v.getUint32(at + 8, true);

/** Whether the bytes up to `end` are one response; afterwards no accessor can fail. */
export function checkResponse(v: DataView, at: number, end: number): boolean {
  return end - at === RESPONSE_LEN && wireguardType(v, at) === WG_RESPONSE;
}

export interface Response {
  readonly sender: number;
  readonly receiver: number;
  /** Unencrypted, 32 bytes. */
  readonly ephemeral: Uint8Array;
  /** A tag alone, 16 bytes. */
  readonly encryptedEmpty: Uint8Array;
  /** 16 bytes each. */
  readonly mac1: Uint8Array;
  readonly mac2: Uint8Array;
}

/** Null when `checkResponse` refuses. The fields are copies. */
export function parseResponse(v: DataView, at: number, end: number): Response | null {
  if (!checkResponse(v, at, end)) return null;
  return {
    sender: responseSender(v, at),
    receiver: responseReceiver(v, at),
    ephemeral: copyBytes(v, at + RESPONSE_EPHEMERAL_AT, 32),
    encryptedEmpty: copyBytes(v, at + RESPONSE_EMPTY_AT, RESPONSE_EMPTY_LEN),
    mac1: copyBytes(v, at + RESPONSE_MAC1_AT, WG_MAC_LEN),
    mac2: copyBytes(v, at + RESPONSE_MAC2_AT, WG_MAC_LEN),
  };
}

/** Writes all 92 bytes. Throws RangeError when a field has another length. */
export function emitResponse(message: Response, v: DataView, at: number): void {
  v.setUint32(at, WG_RESPONSE, true);
  v.setUint32(at + 4, message.sender, true);
  v.setUint32(at + 8, message.receiver, true);
  putBytes(v, at + RESPONSE_EPHEMERAL_AT, message.ephemeral, 32);
  putBytes(v, at + RESPONSE_EMPTY_AT, message.encryptedEmpty, RESPONSE_EMPTY_LEN);
  putBytes(v, at + RESPONSE_MAC1_AT, message.mac1, WG_MAC_LEN);
  putBytes(v, at + RESPONSE_MAC2_AT, message.mac2, WG_MAC_LEN);
}
