/** The shape that `@vrouter/protocols/wireguard/ports.ts` asks for, written down again: host imports core alone. */

export interface NoiseCrypto {
  blake2s(...parts: readonly Uint8Array[]): Uint8Array;
  hmacBlake2s(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  macBlake2s(key: Uint8Array, data: Uint8Array): Uint8Array;
  publicKey(privateKey: Uint8Array): Uint8Array;
  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null;
  seal(key: Uint8Array, counter: number, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  open(key: Uint8Array, counter: number, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | null;
  xseal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  xopen(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | null;
}

export interface TransportCipher {
  seal(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): void;
  open(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): boolean;
  destroy(): void;
}

export interface SystemCrypto extends NoiseCrypto {
  transportCipher(key: Uint8Array): TransportCipher;
}

/** RFC 8439: a 32-byte key, a 12-byte nonce, a 16-byte tag. */
export const KEY_LEN = 32;
export const NONCE_LEN = 12;
export const TAG_LEN = 16;

/** Throws RangeError for a key of the wrong length: a bug of the caller, not an input. */
export function checkKey(key: Uint8Array): void {
  if (key.length !== KEY_LEN) throw new RangeError(`a key has ${KEY_LEN} bytes, not ${key.length}`);
}

/**
 * Throws RangeError unless the bytes and their tag lie inside the buffer. The native cipher writes by address, so this is what
 * stands between a wrong offset and somebody else's memory; a detached buffer has length 0 and fails here too.
 */
export function checkRoom(buffer: Uint8Array, at: number, length: number): void {
  if (!(at >= 0 && length >= 0 && at + length + TAG_LEN <= buffer.length))
    throw new RangeError(`${length} bytes and a tag at ${at} do not fit into ${buffer.length}`);
}
