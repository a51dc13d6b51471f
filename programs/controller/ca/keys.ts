/** Key pairs (EC P-256) and PEM texts. */
import { createHash, webcrypto } from 'node:crypto';
import type { X509Certificate } from '@peculiar/x509';
import { ProblemError, problem } from '@vrouter/core/problem.ts';

export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The one crypto provider that @peculiar/x509 is handed, so that nothing depends on a global. */
export const provider = webcrypto as Crypto;

export interface KeyPair {
  readonly keys: webcrypto.CryptoKeyPair;
  /** PKCS #8, PEM. */
  readonly privateKeyPem: string;
}

export async function generateKeyPair(): Promise<KeyPair> {
  const keys = await provider.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  const pkcs8 = await provider.subtle.exportKey('pkcs8', keys.privateKey);
  return { keys, privateKeyPem: pem('PRIVATE KEY', new Uint8Array(pkcs8)) };
}

/** Imports a private key for signing. Throws when it is none. */
export async function importPrivateKey(privateKeyPem: string): Promise<CryptoKey> {
  const base64 = privateKeyPem.replace(/-----[A-Z ]+-----|\s/g, '');
  return provider.subtle.importKey('pkcs8', Uint8Array.fromBase64(base64), keyAlgorithm, false, ['sign']);
}

/** The first PEM block of a label in a text, with its final newline; null when there is none. */
export function pemBlock(text: string, label: 'PRIVATE KEY' | 'CERTIFICATE'): string | null {
  const found = new RegExp(`-----BEGIN ${label}-----[A-Za-z0-9+/=\\s]+-----END ${label}-----`).exec(text);
  return found === null ? null : `${found[0]}\n`;
}

export function pem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** A certificate with one final newline. */
export function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trimEnd()}\n`;
}

/** Of a file that should hold what an authority is made of. */
export function corrupt(path: string): ProblemError {
  return new ProblemError(
    problem('data.corrupt', `${path} does not hold what a certificate authority keeps there; restore it from a backup`),
  );
}

/** SHA-256, lower-case hex. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** SHA-256 of a text's UTF-8 bytes. */
export function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
