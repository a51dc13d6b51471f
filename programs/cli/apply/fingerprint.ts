/** Preshared keys, by what tells them apart. */
import { createHash } from 'node:crypto';
import { FINGERPRINT_LENGTH, presharedKeyText } from '@vrouter/api/wireguard/fingerprint.ts';
import { formatKey } from '@vrouter/core/bytes.ts';
import { Secret } from '@vrouter/core/secret.ts';

/** Of a peer's preshared key, both keys in base64; as the controller tells it. */
export function fingerprintOf(publicKey: string, presharedKey: string): string {
  return createHash('sha256')
    .update(presharedKeyText(publicKey, presharedKey))
    .digest('hex')
    .slice(0, FINGERPRINT_LENGTH);
}

export function secretOf(publicKey: string, presharedKey: string): Secret {
  return new Secret(Uint8Array.fromBase64(presharedKey), fingerprintOf(publicKey, presharedKey));
}

/** In base64, for the controller alone. */
export function revealed(secret: Secret): string {
  return formatKey(secret.reveal());
}
