/**
 * Handshake cryptography by node:crypto; @noble/hashes where Node has none (keyed BLAKE2s with 16 bytes of output).
 * Rare calls, so results are fresh arrays. Wrong lengths of keys and nonces throw RangeError: they are bugs, not inputs.
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
import { blake2s as nobleBlake2s } from '@noble/hashes/blake2.js';
import { hchacha20 } from './chacha.ts';
import { checkKey, NONCE_LEN, type NoiseCrypto, TAG_LEN } from './shape.ts';

const XNONCE_LEN = 24;

/** RFC 8410: PKCS #8 and SubjectPublicKeyInfo of X25519, up to where the 32 bytes of the key begin. */
const pkcs8Prefix = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32] as const;
const spkiPrefix = [48, 42, 48, 5, 6, 3, 43, 101, 110, 3, 33, 0] as const;

function der(prefix: readonly number[], key: Uint8Array): Buffer<ArrayBuffer> {
  checkKey(key);
  // Not Buffer.concat: that takes from Node's shared pool, where a private key would stay.
  const bytes = Buffer.alloc(prefix.length + key.length);
  bytes.set(prefix);
  bytes.set(key, prefix.length);
  return bytes;
}

function privateKeyObject(privateKey: Uint8Array): KeyObject {
  const bytes = der(pkcs8Prefix, privateKey);
  const key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
  bytes.fill(0);
  return key;
}

function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes);
}

function counterNonce(counter: number): Uint8Array {
  if (!Number.isSafeInteger(counter) || counter < 0) throw new RangeError(`not a counter: ${counter}`);
  const nonce = new Uint8Array(NONCE_LEN);
  const view = new DataView(nonce.buffer);
  view.setUint32(4, counter % 0x1_0000_0000, true);
  view.setUint32(8, Math.floor(counter / 0x1_0000_0000), true);
  return nonce;
}

function aeadSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  checkKey(key);
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_LEN });
  cipher.setAAD(aad, { plaintextLength: plaintext.length });
  const sealed = new Uint8Array(plaintext.length + TAG_LEN);
  sealed.set(cipher.update(plaintext));
  cipher.final();
  sealed.set(cipher.getAuthTag(), plaintext.length);
  return sealed;
}

function aeadOpen(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | null {
  checkKey(key);
  const length = ciphertext.length - TAG_LEN;
  if (length < 0) return null;
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_LEN });
  decipher.setAAD(aad, { plaintextLength: length });
  decipher.setAuthTag(ciphertext.subarray(length));
  const opened = plain(decipher.update(ciphertext.subarray(0, length)));
  try {
    decipher.final();
  } catch {
    opened.fill(0);
    return null;
  }
  return opened;
}

/** draft-irtf-cfrg-xchacha-03 section 2.3: the subkey, and a nonce of four zero bytes and the last eight. */
function extended(key: Uint8Array, nonce: Uint8Array): { readonly subkey: Uint8Array; readonly nonce: Uint8Array } {
  checkKey(key);
  if (nonce.length !== XNONCE_LEN)
    throw new RangeError(`an extended nonce has ${XNONCE_LEN} bytes, not ${nonce.length}`);
  const short = new Uint8Array(NONCE_LEN);
  short.set(nonce.subarray(16), 4);
  return { subkey: hchacha20(key, nonce), nonce: short };
}

export const noiseCrypto: NoiseCrypto = {
  blake2s(...parts) {
    const hash = createHash('blake2s256');
    for (const part of parts) hash.update(part);
    return plain(hash.digest());
  },

  hmacBlake2s(key, ...parts) {
    const hmac = createHmac('blake2s256', key);
    for (const part of parts) hmac.update(part);
    return plain(hmac.digest());
  },

  macBlake2s(key, data) {
    return nobleBlake2s(data, { key, dkLen: 16 });
  },

  publicKey(privateKey) {
    const spki = createPublicKey(privateKeyObject(privateKey)).export({ format: 'der', type: 'spki' });
    return plain(spki.subarray(spkiPrefix.length));
  },

  sharedSecret(privateKey, publicKey) {
    const mine = privateKeyObject(privateKey);
    const theirs = createPublicKey({ key: der(spkiPrefix, publicKey), format: 'der', type: 'spki' });
    try {
      return plain(diffieHellman({ privateKey: mine, publicKey: theirs }));
    } catch {
      // RFC 7748 section 6.1: OpenSSL refuses to derive an all-zero secret, and with sound key objects nothing else can fail.
      return null;
    }
  },

  seal: (key, counter, plaintext, aad) => aeadSeal(key, counterNonce(counter), plaintext, aad),
  open: (key, counter, ciphertext, aad) => aeadOpen(key, counterNonce(counter), ciphertext, aad),

  xseal(key, nonce, plaintext, aad) {
    const by = extended(key, nonce);
    return aeadSeal(by.subkey, by.nonce, plaintext, aad);
  },

  xopen(key, nonce, ciphertext, aad) {
    const by = extended(key, nonce);
    return aeadOpen(by.subkey, by.nonce, ciphertext, aad);
  },
};
