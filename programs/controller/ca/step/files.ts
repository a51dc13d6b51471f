/** What a step-ca provider keeps in its folder, so that it can go on while the CA is away. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import { corrupt, pemBlock } from '../keys.ts';
import type { ServerCredentials } from '../provider.ts';

export type ListName = 'roots.pem' | 'issuers.pem';

/** Certificates, PEM each, with one final newline; none when there is no such file. Throws ProblemError `data.corrupt`. */
export function readList(folder: string, name: ListName): string[] {
  const path = join(folder, name);
  if (!existsSync(path)) return [];
  const found = readFileSync(path, 'utf8').match(
    /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g,
  );
  try {
    return (found ?? []).map((block) => new X509Certificate(block).toString());
  } catch {
    throw corrupt(path);
  }
}

export async function writeList(folder: string, name: ListName, certificates: readonly string[]): Promise<void> {
  await writeFileDurably(join(folder, name), certificates.join(''), 0o600);
}

/** Null when there is none, or none that can be read: then another one is asked for. */
export function readServer(folder: string): ServerCredentials | null {
  const path = join(folder, 'server.pem');
  if (!existsSync(path)) return null;
  const text = readFileSync(path, 'utf8');
  const key = pemBlock(text, 'PRIVATE KEY');
  const begin = text.indexOf('-----BEGIN CERTIFICATE-----');
  if (key === null || begin < 0) return null;
  try {
    return credentialsOf(key, text.slice(begin));
  } catch {
    return null;
  }
}

export async function writeServer(folder: string, { key, cert }: ServerCredentials): Promise<void> {
  await writeFileDurably(join(folder, 'server.pem'), key + cert, 0o600);
}

/** `cert`: chain, leaf first. Throws when it is none. */
export function credentialsOf(key: string, cert: string): ServerCredentials {
  const leaf = new X509Certificate(cert);
  return { key, cert, notBeforeUnixMs: Date.parse(leaf.validFrom), notAfterUnixMs: Date.parse(leaf.validTo) };
}
