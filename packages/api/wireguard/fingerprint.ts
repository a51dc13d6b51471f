/** What tells preshared keys apart without showing them. */

/**
 * The text whose SHA-256, the first 16 bytes of it in lower-case hex, is the fingerprint of a peer's preshared key; both keys in base64.
 * The peer's own key is in it, so that equal preshared keys of two peers do not show.
 */
export function presharedKeyText(publicKey: string, presharedKey: string): string {
  return `vrouter preshared key\n${publicKey}\n${presharedKey}`;
}

/** Length of a fingerprint, hex digits. */
export const FINGERPRINT_LENGTH = 32;
