/**
 * Answers as they lie in the store: there may be a join string in them, of which the store otherwise keeps only a hash. They are sealed
 * with a key that only the caller's Idempotency-Key gives (HKDF, RFC 5869; AES-256-GCM), and of that the store has only a hash, too.
 * A key that can be guessed protects nothing; the file is 0600 besides.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Base64 of nonce, ciphertext and tag. */
export function seal(secret: string, scope: string, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret, scope), nonce).setAAD(Buffer.from(scope));
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** Throws when it was sealed for another scope or under another secret, or was changed. */
export function unseal(secret: string, scope: string, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64');
  const end = bytes.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', keyOf(secret, scope), bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  }).setAAD(Buffer.from(scope));
  decipher.setAuthTag(bytes.subarray(end));
  return decipher.update(bytes.subarray(NONCE_BYTES, end), undefined, 'utf8') + decipher.final('utf8');
}

function keyOf(secret: string, scope: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, scope, 'vrouter answer', 32));
}
