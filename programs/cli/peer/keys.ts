/** WireGuard's keys, made on this machine: the private one leaves it in no request. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { formatKey } from '@vrouter/core/bytes.ts';

export interface KeyPair {
  /** Base64, as `wg genkey` and `wg pubkey` print them. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** X25519 (RFC 7748). The private key is clamped already, as wg(8) stores it. */
export function newKeyPair(): KeyPair {
  const pair = generateKeyPairSync('x25519');
  // The last 32 bytes of either DER are the key itself (RFC 8410, sections 4 and 7).
  const privateKey = Uint8Array.from(pair.privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(-32));
  privateKey[0]! &= 248;
  privateKey[31]! = (privateKey[31]! & 127) | 64;
  const publicKey = Uint8Array.from(pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32));
  return { privateKey: formatKey(privateKey), publicKey: formatKey(publicKey) };
}

export function newPresharedKey(): string {
  return formatKey(Uint8Array.from(randomBytes(32)));
}
