import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCrypto } from './crypto.testing.ts';

const crypto = new TestCrypto();

test('XChaCha20-Poly1305 of draft-irtf-cfrg-xchacha-03 appendix A.3.1', () => {
  const key = Uint8Array.fromHex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
  const nonce = Uint8Array.fromHex('404142434445464748494a4b4c4d4e4f5051525354555657');
  const aad = Uint8Array.fromHex('50515253c0c1c2c3c4c5c6c7');
  const text =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
  const sealed = crypto.xseal(key, nonce, new TextEncoder().encode(text), aad);
  assert.equal(sealed.subarray(0, 16).toHex(), 'bd6d179d3e83d43b9576579493c0e939');
  assert.equal(sealed.subarray(-16).toHex(), 'c0875924c1c7987947deafd8780acf49');
  assert.equal(new TextDecoder().decode(crypto.xopen(key, nonce, sealed, aad) ?? undefined), text);
  sealed[3]! ^= 1;
  assert.equal(crypto.xopen(key, nonce, sealed, aad), null);
});

test('a secret of zeros is none', () => {
  assert.equal(crypto.sharedSecret(new Uint8Array(32).fill(5), new Uint8Array(32)), null);
});
