/**
 * Nonces of logins: each is good once and for a while. Any controller on the same store knows one that another gave out, since it is
 * sealed with a key of the store; so giving one out writes nothing, and a stranger who asks for thousands fills no disk.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { sha256Hex } from '../ca/keys.ts';

/** Time for a person to find the password, ms. */
export const NONCE_LIFE_MS = 10 * 60_000;
const RANDOM = 16;
const TIME = 6;
const SEAL = 32;
export const NONCE_KEY_BYTES = 32;

export interface NewNonce {
  readonly nonce: string;
  readonly nonceExpiresUnixMs: number;
}

export type JudgedNonce =
  | { readonly good: true; readonly hash: string; readonly expiresUnixMs: number }
  | { readonly good: false; readonly why: 'nonceUnknown' | 'nonceExpired' };

/** 72 characters of base64url: random bytes, the end (Unix ms, 48 bits), HMAC-SHA256 over both. */
export function newNonce(key: Uint8Array, nowUnixMs: number): NewNonce {
  const nonceExpiresUnixMs = nowUnixMs + NONCE_LIFE_MS;
  const head = Buffer.concat([randomBytes(RANDOM), Buffer.alloc(TIME)]);
  head.writeUIntBE(nonceExpiresUnixMs, RANDOM, TIME);
  return { nonce: Buffer.concat([head, sealOf(key, head)]).toString('base64url'), nonceExpiresUnixMs };
}

/** Whether it is one of ours that is not too old; whether it was used is the store's to say, by its hash. */
export function judgeNonce(key: Uint8Array, text: string, nowUnixMs: number, skewMs: number): JudgedNonce {
  const bytes = /^[A-Za-z0-9_-]{72}$/.test(text) ? Buffer.from(text, 'base64url') : null;
  if (bytes === null) return { good: false, why: 'nonceUnknown' };
  const head = bytes.subarray(0, RANDOM + TIME);
  if (!timingSafeEqual(bytes.subarray(RANDOM + TIME), sealOf(key, head))) return { good: false, why: 'nonceUnknown' };
  const expiresUnixMs = head.readUIntBE(RANDOM, TIME);
  // One from the future was given out by a clock that was put back since, or by another controller's.
  const tooNew = expiresUnixMs > nowUnixMs + NONCE_LIFE_MS + skewMs;
  if (expiresUnixMs + skewMs <= nowUnixMs || tooNew) return { good: false, why: 'nonceExpired' };
  return { good: true, hash: sha256Hex(text), expiresUnixMs };
}

function sealOf(key: Uint8Array, head: Uint8Array): Buffer {
  return createHmac('sha256', key).update(head).digest().subarray(0, SEAL);
}
