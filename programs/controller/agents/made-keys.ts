/**
 * Keys that the controller makes for a gateway, for clients of the original, which sends its token and its WireGuard key and gets its
 * private key with the certificate. Whoever holds the controller then has held the gateway's key, so it is off unless
 * `--allow-controller-made-keys` says so, told in the audit, and seen in the vrouter's status until the gateway renews with a key of its own.
 */
// @peculiar/x509 will not load before this.
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import type { RegisterReply } from '@vrouter/api/agent/agent.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { generateKeyPair, keyAlgorithm, provider } from '../ca/keys.ts';
import { type CertificateRequest, readRequest } from '../ca/request.ts';
import type { TokenParts } from '../identity/token.ts';
import { seal, unseal } from '../rest/sealed.ts';

/** In the place of a request's fingerprint: there was no request. */
export const MADE_HERE = 'made by the controller';

export interface MadeKey {
  /** PKCS #8, PEM. */
  readonly privateKeyPem: string;
  readonly request: CertificateRequest;
}

/** A key, and a request for it as the gateway would have sent it. */
export async function makeKey(): Promise<MadeKey> {
  const pair = await generateKeyPair();
  const csr = await Pkcs10CertificateRequestGenerator.create(
    { name: '', keys: pair.keys, signingAlgorithm: keyAlgorithm },
    provider,
  );
  const read = await readRequest(csr.toString('pem'));
  if (!read.ok) throw new ProblemError(read.error);
  return { privateKeyPem: pair.privateKeyPem, request: { ...read.value, fingerprint: MADE_HERE } };
}

/** The answer as the store keeps it for a retry: its key can be read by whoever shows the token again, and by nobody else. */
export function keptReply({ clientKey, ...reply }: RegisterReply, token: TokenParts): string {
  if (clientKey === undefined) return JSON.stringify(reply);
  return JSON.stringify({ ...reply, sealedKey: seal(token.secret, scopeOf(token), clientKey) });
}

/** What `keptReply` kept. */
export function readKeptReply(text: string, token: TokenParts): RegisterReply {
  const { sealedKey, ...reply } = JSON.parse(text) as RegisterReply & { readonly sealedKey?: string };
  return sealedKey === undefined ? reply : { ...reply, clientKey: unseal(token.secret, scopeOf(token), sealedKey) };
}

function scopeOf({ id }: TokenParts): string {
  return `join ${id}`;
}
