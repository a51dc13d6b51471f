import assert from 'node:assert/strict';
import { it } from 'node:test';
import { inspect } from 'node:util';
import type { Rng } from '@vrouter/core/rng.ts';
import { fingerprint, generatePrivateKey, makeSecret, systemRng } from './system.ts';

it('random words do not repeat, across refills of the pool', () => {
  const rng: Rng = systemRng();
  const words = Array.from({ length: 1000 }, () => rng.uint32());
  assert.ok(words.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffff_ffff));
  // Two equal words among a thousand: once in ten thousand runs; three such pairs: never.
  assert.ok(new Set(words).size >= 998);
});

it('fill fills the part that it was given', () => {
  const bytes = new Uint8Array(96);
  systemRng().fill(bytes.subarray(32, 64));
  assert.ok(bytes.subarray(0, 32).every((byte) => byte === 0));
  assert.ok(bytes.subarray(64).every((byte) => byte === 0));
  assert.ok(bytes.subarray(32, 64).some((byte) => byte !== 0));
});

it('private keys are fresh and clamped', () => {
  const one = generatePrivateKey();
  assert.equal(one.length, 32);
  assert.equal(one[0]! & 7, 0);
  assert.equal(one[31]! & 0xc0, 0x40);
  assert.notDeepEqual(one, generatePrivateKey());
});

it('a secret keeps a copy and shows its fingerprint alone', () => {
  const bytes = Uint8Array.of(0x61, 0x62, 0x63);
  const secret = makeSecret(bytes);
  bytes.fill(0);
  // FIPS 180-4: SHA-256 of "abc".
  assert.equal(secret.fingerprint, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.equal(fingerprint(secret.reveal()), secret.fingerprint);
  assert.doesNotMatch(JSON.stringify(secret) + inspect(secret) + String(secret), /97|616263|abc/);
});
