/**
 * Real cryptography for this folder's tests, on node:crypto. It hands out Node Buffers, of which `slice` is no copy, as they come:
 * that is what a Uint8Array may be.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from 'node:crypto';
import { blake2s } from '@noble/hashes/blake2.js';
import { concatBytes } from '@vrouter/core/bytes.ts';
import type { TransportCipher, WireguardCrypto } from './ports.ts';

const TAG = 16;
// RFC 8410 section 7 and 4: the DER in front of a raw X25519 key.
const PKCS8 = Uint8Array.fromHex('302e020100300506032b656e04220420');
const SPKI = Uint8Array.fromHex('302a300506032b656e032100');

const privateObject = (key: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.from(concatBytes(PKCS8, key)), format: 'der', type: 'pkcs8' });
const publicObject = (key: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.from(concatBytes(SPKI, key)), format: 'der', type: 'spki' });

function nonceOf(low: number, high: number): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(4, low, true);
  view.setUint32(8, high, true);
  return nonce;
}

function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG });
  cipher.setAAD(aad, { plaintextLength: plaintext.length });
  return concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array | null {
  const length = sealed.length - TAG;
  if (length < 0) return null;
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG });
  decipher.setAAD(aad, { plaintextLength: length });
  decipher.setAuthTag(sealed.subarray(length));
  const plaintext = decipher.update(sealed.subarray(0, length));
  try {
    return concatBytes(plaintext, decipher.final());
  } catch {
    return null;
  }
}

/** draft-irtf-cfrg-xchacha-03 section 2.2. Node has the 20 rounds only with the input added at the end, so it is taken off again. */
function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const keystream = createCipheriv('chacha20', key, nonce).update(new Uint8Array(64));
  const sum = new DataView(keystream.buffer, keystream.byteOffset, 64);
  const input = new DataView(nonce.buffer, nonce.byteOffset, 16);
  const sigma = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
  const subkey = new Uint8Array(32);
  const out = new DataView(subkey.buffer);
  for (let i = 0; i < 4; i++) {
    out.setUint32(4 * i, sum.getUint32(4 * i, true) - sigma[i]!, true);
    out.setUint32(16 + 4 * i, sum.getUint32(48 + 4 * i, true) - input.getUint32(4 * i, true), true);
  }
  return subkey;
}

const xnonce = (nonce: Uint8Array): Uint8Array => concatBytes(new Uint8Array(4), nonce.subarray(16, 24));

class PlainCipher implements TransportCipher {
  readonly #key: Uint8Array;
  #destroyed = false;

  constructor(key: Uint8Array) {
    this.#key = new Uint8Array(key);
  }

  seal(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): void {
    this.#alive();
    buffer.set(seal(this.#key, nonceOf(counterLow, counterHigh), buffer.slice(at, at + length), new Uint8Array(0)), at);
  }

  open(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): boolean {
    this.#alive();
    const sealed = buffer.slice(at, at + length + TAG);
    const plaintext = open(this.#key, nonceOf(counterLow, counterHigh), sealed, new Uint8Array(0));
    // The port says that the bytes are undefined after a failure: show it to whoever relies on them.
    if (plaintext === null) buffer.fill(0xee, at, at + length);
    else buffer.set(plaintext, at);
    return plaintext !== null;
  }

  destroy(): void {
    this.#alive();
    this.#key.fill(0);
    this.#destroyed = true;
  }

  #alive(): void {
    if (this.#destroyed) throw new Error('a destroyed cipher was used');
  }
}

/** Counts the ciphers that are alive, so that a test can see whether all keys went. */
export class TestCrypto implements WireguardCrypto {
  ciphers = 0;

  blake2s(...parts: readonly Uint8Array[]): Uint8Array {
    const hash = createHash('blake2s256');
    for (const part of parts) hash.update(part);
    return hash.digest();
  }

  hmacBlake2s(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
    const hmac = createHmac('blake2s256', key);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  }

  macBlake2s(key: Uint8Array, data: Uint8Array): Uint8Array {
    return blake2s(data, { key, dkLen: 16 });
  }

  publicKey(privateKey: Uint8Array): Uint8Array {
    const der = createPublicKey(privateObject(privateKey)).export({ format: 'der', type: 'spki' });
    return der.subarray(SPKI.length);
  }

  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null {
    try {
      return diffieHellman({ privateKey: privateObject(privateKey), publicKey: publicObject(publicKey) });
    } catch {
      return null;
    }
  }

  seal(key: Uint8Array, counter: number, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
    return seal(key, nonceOf(counter, 0), plaintext, aad);
  }

  open(key: Uint8Array, counter: number, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | null {
    return open(key, nonceOf(counter, 0), ciphertext, aad);
  }

  xseal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
    return seal(hchacha20(key, nonce.slice(0, 16)), xnonce(nonce), plaintext, aad);
  }

  xopen(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | null {
    return open(hchacha20(key, nonce.slice(0, 16)), xnonce(nonce), ciphertext, aad);
  }

  transportCipher(key: Uint8Array): TransportCipher {
    this.ciphers++;
    const cipher = new PlainCipher(key);
    return {
      seal: (buffer, at, length, low, high) => cipher.seal(buffer, at, length, low, high),
      open: (buffer, at, length, low, high) => cipher.open(buffer, at, length, low, high),
      destroy: () => {
        this.ciphers--;
        cipher.destroy();
      },
    };
  }
}
