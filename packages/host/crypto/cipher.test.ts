import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TransportCipher, WireguardCrypto } from '@vrouter/protocols/wireguard/ports.ts';
import fc from 'fast-check';
import { CRYPTO_BACKENDS, cryptoBackend, hasBackend, systemCrypto } from './system.ts';

const hex = Uint8Array.fromHex;

/** A buffer whose other bytes are 0xa5, so that a write past the end shows. */
function room(data: Uint8Array, at: number, spare = 16): Uint8Array {
  const buffer = new Uint8Array(at + data.length + 16 + spare).fill(0xa5);
  buffer.set(data, at);
  return buffer;
}

/** Appendix of the handshake with fixed keys, proven against wireguard-go: data packet 0 and keep-alive 1 of the initiator. */
const sendKey = hex('248a29611829aaf7ee8bc8e87df805c1019f08f82d80eb79b7625821ba0a1317');
const helloSealed = hex('b2ea16d7c48dfa56b7ff9ac27204bd502c59bbe5213aaa4b8f44f8f07b742879');
const keepaliveSealed = hex('45e836be3e0a3596e52872ec13bc82f5');
const hello = new Uint8Array(16);
new TextEncoder().encodeInto('hello wireguard', hello);

it('has OpenSSL within reach on Linux, so the fast path is what the other tests run', () => {
  if (process.platform === 'linux') assert.equal(cryptoBackend(), 'openssl-direct');
  if (cryptoBackend() === 'openssl-direct') assert.ok(hasBackend('openssl-ffi'), 'which it was compared with');
});

for (const backend of CRYPTO_BACKENDS.filter(hasBackend)) {
  describe(`transport cipher by ${backend}`, () => {
    // The contract's own type: a wrong shape is a type error here.
    const crypto: WireguardCrypto = systemCrypto(backend);
    const using = (key: Uint8Array, work: (cipher: TransportCipher) => void): void => {
      const cipher = crypto.transportCipher(key);
      work(cipher);
      cipher.destroy();
    };

    it('seals and opens the known packets in place and nothing else', () => {
      using(sendKey, (cipher) => {
        const buffer = room(hello, 37);
        cipher.seal(buffer, 37, 16, 0, 0);
        assert.deepEqual(buffer.subarray(37, 69), helloSealed);
        assert.ok(buffer.subarray(0, 37).every((byte) => byte === 0xa5));
        assert.ok(buffer.subarray(69).every((byte) => byte === 0xa5));
        assert.equal(cipher.open(buffer, 37, 16, 0, 0), true);
        assert.deepEqual(buffer.subarray(37, 53), hello);
        assert.ok(buffer.subarray(0, 37).every((byte) => byte === 0xa5));
        assert.ok(buffer.subarray(69).every((byte) => byte === 0xa5));
      });
    });

    it('seals and opens an empty packet, the keep-alive', () => {
      using(sendKey, (cipher) => {
        const buffer = room(new Uint8Array(0), 16);
        cipher.seal(buffer, 16, 0, 1, 0);
        assert.deepEqual(buffer.subarray(16, 32), keepaliveSealed);
        assert.equal(cipher.open(buffer, 16, 0, 1, 0), true);
        assert.equal(cipher.open(buffer, 16, 0, 2, 0), false);
      });
    });

    it('keeps one key apart from another, whichever is used between', () => {
      using(sendKey, (one) =>
        using(new Uint8Array(32).fill(7), (other) => {
          const buffer = room(hello, 0);
          one.seal(buffer, 0, 16, 9, 9);
          const copy = buffer.slice();
          assert.equal(other.open(copy, 0, 16, 9, 9), false);
          assert.equal(one.open(buffer, 0, 16, 9, 9), true);
          assert.deepEqual(buffer.subarray(0, 16), hello);
        }),
      );
    });

    it('refuses any changed bit, length and counter', () => {
      const counter = fc.integer({ min: 0, max: 0xffff_ffff });
      fc.assert(
        fc.property(
          fc.uint8Array({ minLength: 32, maxLength: 32 }),
          fc.uint8Array({ minLength: 1, maxLength: 300 }),
          counter,
          counter,
          fc.nat(),
          (key, data, low, high, choice) =>
            using(key, (cipher) => {
              const sealed = room(data, 5);
              cipher.seal(sealed, 5, data.length, low, high);
              const bit = choice % ((data.length + 16) * 8);
              const tampered = sealed.slice();
              tampered[5 + (bit >> 3)]! ^= 1 << (bit & 7);
              assert.equal(cipher.open(tampered, 5, data.length, low, high), false);
              assert.equal(cipher.open(sealed.slice(), 5, data.length, (low ^ 1) >>> 0, high), false);
              assert.equal(cipher.open(sealed.slice(), 5, data.length, low, (high ^ 0x8000_0000) >>> 0), false);
              assert.equal(cipher.open(sealed.slice(), 5, data.length - 1, low, high), false);
              assert.equal(cipher.open(sealed, 5, data.length, low, high), true);
              assert.deepEqual(sealed.subarray(5, 5 + data.length), data);
            }),
        ),
        { numRuns: 200 },
      );
    });

    it('works in shared memory and in the middle of a larger buffer', () => {
      using(sendKey, (cipher) => {
        const shared = new Uint8Array(new SharedArrayBuffer(4096), 100, 1000);
        shared.set(hello, 3);
        cipher.seal(shared, 3, 16, 0, 0);
        assert.deepEqual(Uint8Array.from(shared.subarray(3, 35)), helloSealed);
      });
    });

    it('throws rather than writing outside of the buffer, after destroy, or with half a key', () => {
      const cipher = crypto.transportCipher(sendKey);
      const buffer = new Uint8Array(64);
      for (const [at, length] of [
        [0, 49],
        [-1, 10],
        [60, 0],
        [0, -1],
        [Number.NaN, 4],
      ] as const) {
        assert.throws(() => cipher.seal(buffer, at, length, 0, 0), RangeError);
        assert.throws(() => cipher.open(buffer, at, length, 0, 0), RangeError);
      }
      const moved = new Uint8Array(64);
      cipher.seal(moved, 0, 16, 0, 0);
      moved.buffer.transfer();
      assert.throws(() => cipher.seal(moved, 0, 16, 0, 0), RangeError);
      cipher.destroy();
      cipher.destroy();
      assert.throws(() => cipher.seal(buffer, 0, 16, 0, 0), /destroyed/);
      assert.throws(() => cipher.open(buffer, 0, 16, 0, 0), /destroyed/);
      assert.throws(() => crypto.transportCipher(new Uint8Array(31)), RangeError);
    });
  });
}

it('all transport ciphers and the handshake AEAD write the same bytes', () => {
  const backends = CRYPTO_BACKENDS.filter(hasBackend).map((backend) => systemCrypto(backend));
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 2000 }),
      fc.maxSafeNat(),
      (key, data, counter) => {
        const low = counter % 0x1_0000_0000;
        const high = Math.floor(counter / 0x1_0000_0000);
        const expected = backends[0]!.seal(key, counter, data, new Uint8Array(0));
        for (const backend of backends) {
          const packet = room(data, 1, 0);
          const cipher = backend.transportCipher(key);
          cipher.seal(packet, 1, data.length, low, high);
          assert.deepEqual(packet.subarray(1), expected);
          assert.equal(cipher.open(packet, 1, data.length, low, high), true);
          assert.deepEqual(packet.subarray(1, 1 + data.length), data);
          cipher.destroy();
        }
      },
    ),
    { numRuns: 200 },
  );
});

it('packets of every length up to a few blocks, and the longest datagram', () => {
  const [first, ...others] = CRYPTO_BACKENDS.filter(hasBackend).map((backend) =>
    systemCrypto(backend).transportCipher(sendKey),
  );
  for (const length of [...Array.from({ length: 600 }, (_, i) => i), 65_536]) {
    const data = Uint8Array.from({ length }, (_, i) => i * 5 + length);
    const packet = room(data, 3);
    first!.seal(packet, 3, length, length, 1);
    for (const other of others) {
      const copy = packet.slice();
      assert.equal(other.open(copy, 3, length, length, 1), true);
      assert.deepEqual(copy.subarray(3, 3 + length), data);
    }
    assert.equal(first!.open(packet, 3, length, length, 1), true);
    assert.deepEqual(packet.subarray(0, 3 + length), room(data, 3).subarray(0, 3 + length));
    assert.ok(packet.subarray(3 + length + 16).every((byte) => byte === 0xa5));
  }
});
