/** The key of a JWK provisioner: from a file of ours, or from the CA's own list, opened with a password. */
import { createHash, createPrivateKey } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { z } from 'zod';
import type { StepClient } from './client.ts';
import { openJwe, parseJwe } from './jwe.ts';
import type { ProvisionerKey } from './token.ts';

const SECRET_MAX = 65_536;

/** RFC 7517, EC on P-256, private. */
const privateJwk = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  kid: z.string().min(1).max(256).optional(),
});

export interface ProvisionerOptions {
  readonly name: string;
  /** A file with the key: a JWK, or one encrypted with the password; null takes the CA's `encryptedKey`. */
  readonly keyFile: string | null;
  readonly passwordFile: string | null;
}

/** Throws ProblemError `config.invalid`, `ca.unreachable`, `ca.refused`. */
export async function loadProvisioner(options: ProvisionerOptions, client: StepClient): Promise<ProvisionerKey> {
  const { name, keyFile, passwordFile } = options;
  if (keyFile !== null) {
    const text = readSecret(keyFile, '--step-ca-key');
    const plain = parseJson(text);
    if (typeof plain === 'object' && plain !== null && 'd' in plain) return keyOf(name, plain, '--step-ca-key');
    return keyOf(name, await decrypted(text, passwordFile, '--step-ca-key'), '--step-ca-key');
  }
  const sealed = await client.encryptedKey(name);
  return keyOf(name, await decrypted(sealed, passwordFile, '--step-ca-password-file'), '--step-ca-provisioner');
}

/** A file of a secret, which nobody else may read. Throws ProblemError `config.invalid` with the option as field. */
export function readSecret(path: string, option: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (thrown) {
    throw wrong(`${path} cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`, option);
  }
  try {
    const { mode, size } = fstatSync(file);
    if ((mode & 0o077) !== 0) throw wrong(`${path} is open to other users; close it (chmod 600)`, option);
    if (size > SECRET_MAX) throw wrong(`${path} is too long for a secret`, option);
    return readFileSync(file, 'utf8').trim();
  } finally {
    closeSync(file);
  }
}

async function decrypted(text: string, passwordFile: string | null, option: string): Promise<unknown> {
  const sealed = parseJwe(text);
  if (!sealed.ok) throw wrong(`the provisioner's key is no private JWK; ${sealed.error.message}`, option);
  if (passwordFile === null) throw wrong("the provisioner's key is encrypted: name --step-ca-password-file", option);
  const opened = await openJwe(sealed.value, readSecret(passwordFile, '--step-ca-password-file'));
  if (!opened.ok)
    throw wrong(`${passwordFile} has not the password of the provisioner's key`, '--step-ca-password-file');
  return parseJson(opened.value);
}

function keyOf(name: string, jwk: unknown, option: string): ProvisionerKey {
  const read = privateJwk.safeParse(jwk);
  if (!read.success) throw wrong('the key of the provisioner must be a private JWK, EC on P-256', option);
  const { kty, crv, x, y, d, kid } = read.data;
  try {
    const privateKey = createPrivateKey({ key: { kty, crv, x, y, d }, format: 'jwk' });
    // RFC 7638: members in this order, no white space.
    const thumbprint = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
    return { name, keyId: kid ?? thumbprint, privateKey };
  } catch {
    throw wrong('the key of the provisioner is no key on P-256', option);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function wrong(why: string, option: string): ProblemError {
  return new ProblemError(problem('config.invalid', why, option));
}
