/** HChaCha20, which turns a key and half of a 24-byte nonce into a subkey. draft-irtf-cfrg-xchacha-03 section 2.2. */

function quarterRound(x: Uint32Array, a: number, b: number, c: number, d: number): void {
  // RFC 8439 section 2.1
  x[a] = x[a]! + x[b]!;
  x[d] = rotate(x[d]! ^ x[a]!, 16);
  x[c] = x[c]! + x[d]!;
  x[b] = rotate(x[b]! ^ x[c]!, 12);
  x[a] = x[a]! + x[b]!;
  x[d] = rotate(x[d]! ^ x[a]!, 8);
  x[c] = x[c]! + x[d]!;
  x[b] = rotate(x[b]! ^ x[c]!, 7);
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** The 32-byte subkey for a 32-byte key and the first 16 bytes of the nonce. */
export function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const state = new Uint32Array(16);
  // "expand 32-byte k"
  state.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  const keyView = new DataView(key.buffer, key.byteOffset, 32);
  const nonceView = new DataView(nonce.buffer, nonce.byteOffset, 16);
  for (let i = 0; i < 8; i++) state[4 + i] = keyView.getUint32(4 * i, true);
  for (let i = 0; i < 4; i++) state[12 + i] = nonceView.getUint32(4 * i, true);
  for (let round = 0; round < 10; round++) {
    quarterRound(state, 0, 4, 8, 12);
    quarterRound(state, 1, 5, 9, 13);
    quarterRound(state, 2, 6, 10, 14);
    quarterRound(state, 3, 7, 11, 15);
    quarterRound(state, 0, 5, 10, 15);
    quarterRound(state, 1, 6, 11, 12);
    quarterRound(state, 2, 7, 8, 13);
    quarterRound(state, 3, 4, 9, 14);
  }
  const subkey = new Uint8Array(32);
  const out = new DataView(subkey.buffer);
  for (let i = 0; i < 4; i++) {
    out.setUint32(4 * i, state[i]!, true);
    out.setUint32(16 + 4 * i, state[12 + i]!, true);
  }
  state.fill(0);
  return subkey;
}
