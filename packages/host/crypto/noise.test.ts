import assert from 'node:assert/strict';
import { it } from 'node:test';
import { asciiBytes, concatBytes } from '@vrouter/core/bytes.ts';
import fc from 'fast-check';
import { hchacha20 } from './chacha.ts';
import { noiseCrypto as noise } from './noise.ts';

const hex = Uint8Array.fromHex;
const none = new Uint8Array(0);
const hash = noise.blake2s;

it('BLAKE2s-256 of "abc" is that of RFC 7693 appendix B', () => {
  const digest = '508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982';
  assert.equal(hash(asciiBytes('abc')).toHex(), digest);
  assert.equal(hash(asciiBytes('a'), none, asciiBytes('bc')).toHex(), digest);
});

it('HMAC-BLAKE2s is RFC 2104 over BLAKE2s with blocks of 64', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 100 }), (secret, data) => {
      const pad = (byte: number): Uint8Array => Uint8Array.from({ length: 64 }, (_, i) => (secret[i] ?? 0) ^ byte);
      const expected = hash(pad(0x5c), hash(pad(0x36), data));
      assert.deepEqual(noise.hmacBlake2s(secret, data.subarray(0, 3), data.subarray(3)), expected);
    }),
  );
});

it('X25519 passes the iteration of RFC 7748 section 5.2', () => {
  let scalar: Uint8Array = hex('09'.padEnd(64, '0'));
  let point = scalar;
  const turn = (): void => {
    const next = noise.sharedSecret(scalar, point);
    assert.ok(next !== null);
    point = scalar;
    scalar = next;
  };
  turn();
  assert.equal(scalar.toHex(), '422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
  for (let i = 1; i < 1000; i++) turn();
  assert.equal(scalar.toHex(), '684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51');
});

it('X25519 gives null, not zeros, for the points of low order', () => {
  const mine = hex('01'.repeat(32));
  const lowOrder = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'ff'.repeat(30)}7f`,
  ];
  for (const point of lowOrder) assert.equal(noise.sharedSecret(mine, hex(point)), null, point);
  assert.ok(noise.sharedSecret(mine, noise.publicKey(mine)) !== null);
});

it('both ends agree on the secret', () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const shared = noise.sharedSecret(a, noise.publicKey(b));
      assert.ok(shared !== null);
      assert.deepEqual(shared, noise.sharedSecret(b, noise.publicKey(a)));
    }),
    { numRuns: 30 },
  );
});

it('HChaCha20 is that of draft-irtf-cfrg-xchacha-03 section 2.2.1', () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const subkey = hchacha20(key, hex('000000090000004a0000000031415927'));
  assert.equal(subkey.toHex(), '82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc');
});

it('XChaCha20-Poly1305 is that of draft-irtf-cfrg-xchacha-03 appendix A.3.1', () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
  const nonce = Uint8Array.from({ length: 24 }, (_, i) => 0x40 + i);
  const aad = hex('50515253c0c1c2c3c4c5c6c7');
  const text = asciiBytes(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );
  const sealed = concatBytes(
    hex('bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39'),
    hex('ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9'),
    hex('21f9664c97637da9768812f615c68b13b52e'),
    hex('c0875924c1c7987947deafd8780acf49'),
  );
  assert.deepEqual(noise.xseal(key, nonce, text, aad), sealed);
  assert.deepEqual(noise.xopen(key, nonce, sealed, aad), text);
  assert.equal(noise.xopen(key, nonce, sealed, none), null);
  assert.equal(noise.xopen(key, nonce, sealed.subarray(1), aad), null);
  assert.throws(() => noise.xseal(key, nonce.subarray(1), text, aad), RangeError);
});

it('the AEAD opens what it sealed and nothing else', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const long = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(long, fc.maxSafeNat(), bytes, bytes, fc.nat(), (key, counter, text, aad, choice) => {
      const sealed = noise.seal(key, counter, text, aad);
      assert.equal(sealed.length, text.length + 16);
      assert.deepEqual(noise.open(key, counter, sealed, aad), text);
      assert.equal(noise.open(key, counter === 0 ? 1 : counter - 1, sealed, aad), null);
      assert.equal(noise.open(key, counter, sealed, concatBytes(aad, Uint8Array.of(0))), null);
      const bit = choice % (sealed.length * 8);
      sealed[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(noise.open(key, counter, sealed, aad), null);
    }),
  );
  assert.equal(noise.open(new Uint8Array(32), 0, new Uint8Array(15), none), null);
  assert.throws(() => noise.seal(new Uint8Array(32), 2 ** 53, none, none), RangeError);
});

/** A handshake with fixed keys whose bytes were checked against a second implementation, step by step (WireGuard paper 5.4.2). */
it('all of it together makes the known handshake initiation', () => {
  const initiator = hex('0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20');
  const responderPublic = hex('5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b');
  const ephemeral = hex('4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60');
  const initiation =
    '010000004433221164b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466158a0e4ca242d151ca97ab90159a98b6' +
    '7e616625e68b4065d357376b6598e644ad7d678c0295d22de4cb43d5135581ed36346bfa7cf42a122639f89315e67f2b43de40f99f8e6be9' +
    '135e1632d45237be41c55cffa3e7b390a525fe6500000000000000000000000000000000';

  const kdf1 = (chain: Uint8Array, input: Uint8Array): Uint8Array =>
    noise.hmacBlake2s(noise.hmacBlake2s(chain, input), Uint8Array.of(1));
  const kdf2 = (chain: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array] => {
    const secret = noise.hmacBlake2s(chain, input);
    const first = noise.hmacBlake2s(secret, Uint8Array.of(1));
    return [first, noise.hmacBlake2s(secret, first, Uint8Array.of(2))];
  };
  const shared = (secret: Uint8Array): Uint8Array => {
    const point = noise.sharedSecret(secret, responderPublic);
    assert.ok(point !== null);
    return point;
  };

  let c = hash(asciiBytes('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s'));
  let h = hash(hash(c, asciiBytes('WireGuard v1 zx2c4 Jason@zx2c4.com')), responderPublic);
  const ephemeralPublic = noise.publicKey(ephemeral);
  c = kdf1(c, ephemeralPublic);
  h = hash(h, ephemeralPublic);
  let k: Uint8Array;
  [c, k] = kdf2(c, shared(ephemeral));
  const encryptedStatic = noise.seal(k, 0, noise.publicKey(initiator), h);
  h = hash(h, encryptedStatic);
  [c, k] = kdf2(c, shared(initiator));
  const encryptedTimestamp = noise.seal(k, 0, hex('400000006553f10a07000000'), h);
  const head = concatBytes(hex('0100000044332211'), ephemeralPublic, encryptedStatic, encryptedTimestamp);
  const mac1 = noise.macBlake2s(hash(asciiBytes('mac1----'), responderPublic), head);
  assert.equal(concatBytes(head, mac1, new Uint8Array(16)).toHex(), initiation);
});

it('a key of the wrong length is a bug and throws', () => {
  assert.throws(() => noise.publicKey(new Uint8Array(31)), RangeError);
  assert.throws(() => noise.sharedSecret(new Uint8Array(32), new Uint8Array(33)), RangeError);
  assert.throws(() => noise.seal(new Uint8Array(16), 0, none, none), RangeError);
});
