/** WireGuard's keys, made where the peer is: the private one is in no request. By Web Crypto, which browsers have too. */
import { formatKey } from '@vrouter/core/bytes.ts';

export interface KeyPair {
  /** Base64, as `wg genkey` and `wg pubkey` print them. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** X25519 (RFC 7748). The private key is clamped already, as wg(8) stores it. */
export async function newKeyPair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey('X25519', true, ['deriveBits']);
  if (!('privateKey' in pair)) throw new TypeError('X25519 keys come in pairs');
  // RFC 8037 section 2: `d` is the private key, `x` the public one.
  const { d, x } = await crypto.subtle.exportKey('jwk', pair.privateKey);
  const privateKey = bytesOf(d);
  // Clamping (RFC 7748 section 5) is done by whoever computes with it, so the public key stays the same.
  privateKey[0]! &= 248;
  privateKey[31]! = (privateKey[31]! & 127) | 64;
  return { privateKey: formatKey(privateKey), publicKey: formatKey(bytesOf(x)) };
}

export function newPresharedKey(): string {
  return formatKey(crypto.getRandomValues(new Uint8Array(32)));
}

function bytesOf(text: string | undefined): Uint8Array {
  if (text === undefined) throw new TypeError('a key pair was exported without one of its keys');
  return Uint8Array.fromBase64(text, { alphabet: 'base64url' });
}
