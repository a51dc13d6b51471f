/**
 * Cookie reply, WireGuard paper section 5.4.7; 64 bytes, little-endian.
 *
 *    0 type 3, zeros   4 receiver index   8 nonce 24   32 encrypted cookie 32
 */
import { copyBytes, putBytes, WG_COOKIE_REPLY, wireguardType } from './message.ts';

export const COOKIE_REPLY_LEN = 64;
export const COOKIE_NONCE_AT = 8;
export const COOKIE_NONCE_LEN = 24;
export const COOKIE_ENCRYPTED_AT = 32;
/** 16 bytes of cookie and the tag. */
export const COOKIE_ENCRYPTED_LEN = 32;

export const cookieReplyReceiver = (v: DataView, at: number): number => v.getUint32(at + 4, true);

/** Whether the bytes up to `end` are one cookie reply; afterwards no accessor can fail. */
export function checkCookieReply(v: DataView, at: number, end: number): boolean {
  return end - at === COOKIE_REPLY_LEN && wireguardType(v, at) === WG_COOKIE_REPLY;
}

export interface CookieReply {
  /** The sender index of the message that it answers. */
  readonly receiver: number;
  /** 24 bytes. */
  readonly nonce: Uint8Array;
  /** 32 bytes. */
  readonly encryptedCookie: Uint8Array;
}

/** Null when `checkCookieReply` refuses. The fields are copies. */
export function parseCookieReply(v: DataView, at: number, end: number): CookieReply | null {
  if (!checkCookieReply(v, at, end)) return null;
  return {
    receiver: cookieReplyReceiver(v, at),
    nonce: copyBytes(v, at + COOKIE_NONCE_AT, COOKIE_NONCE_LEN),
    encryptedCookie: copyBytes(v, at + COOKIE_ENCRYPTED_AT, COOKIE_ENCRYPTED_LEN),
  };
}

/** Writes all 64 bytes. Throws RangeError when a field has another length. */
export function emitCookieReply(message: CookieReply, v: DataView, at: number): void {
  v.setUint32(at, WG_COOKIE_REPLY, true);
  v.setUint32(at + 4, message.receiver, true);
  putBytes(v, at + COOKIE_NONCE_AT, message.nonce, COOKIE_NONCE_LEN);
  putBytes(v, at + COOKIE_ENCRYPTED_AT, message.encryptedCookie, COOKIE_ENCRYPTED_LEN);
}
