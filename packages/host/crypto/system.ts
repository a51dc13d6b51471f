/** The system's cryptography, as the minds ask for it. */
import { createHash, randomFillSync } from 'node:crypto';
import type { Rng } from '@vrouter/core/rng.ts';
import { Secret } from '@vrouter/core/secret.ts';
import { DirectCipher, loadDirect } from './direct.ts';
import { NodeCipher } from './node-cipher.ts';
import { noiseCrypto } from './noise.ts';
import { loadOpenSsl, OpenSslCipher } from './openssl.ts';
import { KEY_LEN, type SystemCrypto, type TransportCipher } from './shape.ts';

/** Of the transport cipher, the fastest first. */
export const CRYPTO_BACKENDS = ['openssl-direct', 'openssl-ffi', 'node-crypto'] as const;

export type CryptoBackend = (typeof CRYPTO_BACKENDS)[number];

/** Which of the transport ciphers this machine gets. The handshake is node:crypto's with all of them. */
export function cryptoBackend(): CryptoBackend {
  return CRYPTO_BACKENDS.find((backend) => hasBackend(backend))!;
}

/** Whether this machine has it. */
export function hasBackend(backend: CryptoBackend): boolean {
  if (backend === 'node-crypto') return true;
  return backend === 'openssl-direct' ? loadDirect() !== null : loadOpenSsl() !== null;
}

/** Has the shape of protocols' `WireguardCrypto`. `backend` forces another; asking for a missing one throws. */
export function systemCrypto(backend: CryptoBackend = cryptoBackend()): SystemCrypto {
  return { ...noiseCrypto, transportCipher: cipherMaker(backend) };
}

function cipherMaker(backend: CryptoBackend): (key: Uint8Array) => TransportCipher {
  if (backend === 'node-crypto') return (key) => new NodeCipher(key);
  const direct = backend === 'openssl-direct' ? loadDirect() : null;
  if (direct !== null) return (key) => new DirectCipher(direct, key);
  const ssl = backend === 'openssl-ffi' ? loadOpenSsl() : null;
  if (ssl !== null) return (key) => new OpenSslCipher(ssl, key);
  throw new Error(`this node binary has no OpenSSL functions to call for ${backend}`);
}

/** The system's cryptographic random source. Fit for keys. */
export function systemRng(): Rng {
  // Indices and jitter are asked for one word at a time, and a trip to OpenSSL costs more than a thousand bytes of it.
  const pool = new Uint32Array(256);
  let left = 0;
  return {
    fill(into) {
      randomFillSync(into);
    },
    uint32() {
      if (left === 0) {
        randomFillSync(pool);
        left = pool.length;
      }
      left--;
      const word = pool[left]!;
      // What was handed out is gone from memory.
      pool[left] = 0;
      return word;
    },
  };
}

/** SHA-256 of the bytes in lower-case hex: what a secret is compared and shown by. */
export function fingerprint(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A Secret with a copy of the bytes, so that the caller may wipe or reuse its own. */
export function makeSecret(bytes: Uint8Array): Secret {
  return new Secret(bytes.slice(), fingerprint(bytes));
}

/** 32 random bytes, clamped as RFC 7748 section 5 says, which is how wg(8) shows private keys. */
export function generatePrivateKey(): Uint8Array {
  const key = randomFillSync(new Uint8Array(KEY_LEN));
  key[0] = key[0]! & 248;
  key[31] = (key[31]! & 127) | 64;
  return key;
}
