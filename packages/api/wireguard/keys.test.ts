/** Against node's own X25519, since a key that others read otherwise is of no use. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import test from 'node:test';
import { newKeyPair, newPresharedKey } from './keys.ts';

// RFC 8410 section 7: the DER in front of a raw X25519 private key.
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

test('pairs belong together, are clamped as wg genkey does it, and differ', async () => {
  const seen = new Set<string>();
  for (let round = 0; round < 50; round++) {
    const { privateKey, publicKey } = await newKeyPair();
    const bytes = Buffer.from(privateKey, 'base64');
    const key = createPrivateKey({ key: Buffer.concat([PKCS8, bytes]), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    assert.equal(spki.subarray(-32).toString('base64'), publicKey);
    assert.deepEqual([bytes.length, bytes[0]! & 7, bytes[31]! & 0xc0], [32, 0, 0x40]);
    seen.add(privateKey).add(newPresharedKey());
  }
  assert.equal(seen.size, 100);
});
