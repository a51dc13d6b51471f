/** Any text as a provisioner's encrypted key: it is refused or read within bounds, and never a throw. */
import { parseJwe } from './jwe.ts';

export const name = 'controller/step-ca-encrypted-key';

const header = (fields: object): string => Buffer.from(JSON.stringify(fields)).toString('base64url');
const usual = {
  alg: 'PBES2-HS256+A128KW',
  cty: 'jwk+json',
  enc: 'A256GCM',
  p2c: 100_000,
  p2s: 'c2FsdHNhbHRzYWx0c2FsdA',
};
const tail = `${'A'.repeat(54)}.${'A'.repeat(16)}.${'B'.repeat(200)}.${'C'.repeat(22)}`;
const compact = `${header(usual)}.${tail}`;
const [encrypted_key, iv, ciphertext, tag] = tail.split('.');

export const seeds: readonly Uint8Array[] = [
  compact,
  `${header({ ...usual, p2c: 1e12 })}.${tail}`,
  `${header({ ...usual, alg: 'dir' })}.${tail}`,
  JSON.stringify({ protected: header(usual), encrypted_key, iv, ciphertext, tag }),
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  check(text);
  // A header of any JSON gets further than damage to its base64.
  check(`${Buffer.from(bytes).toString('base64url')}.${tail}`);
}

function check(text: string): void {
  const parsed = parseJwe(text);
  if (!parsed.ok) {
    if (parsed.error.code !== 'input.invalid') throw new Error(parsed.error.code);
    return;
  }
  const { iterations, encryptedKey, iv: nonce, tag: mac, salt } = parsed.value;
  if (iterations > 5_000_000 || iterations < 1000 || salt.length < 8) throw new Error('the bounds do not hold');
  if (encryptedKey.length !== 40 || nonce.length !== 12 || mac.length !== 16) throw new Error('a length is wrong');
}
