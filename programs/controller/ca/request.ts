/** Reads a gateway's certificate request (PKCS #10, RFC 2986): only its public key counts, once it has shown that it has the other half. */
// @peculiar/x509 will not load before this.
import 'reflect-metadata';
import { Pkcs10CertificateRequest, type PublicKey } from '@peculiar/x509';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { provider, sha256Hex } from './keys.ts';

export interface CertificateRequest {
  readonly publicKey: PublicKey;
  /** The request itself, PEM, for an authority that wants to see it. */
  readonly pem: string;
  /** What it would like to be called; null when it says nothing. */
  readonly commonName: string | null;
  /** SHA-256 of the request's DER, lower-case hex: tells a retry from another request. */
  readonly fingerprint: string;
}

const CURVES: readonly string[] = ['P-256', 'P-384'];
const notOne = wrong('this is not a certificate request (PKCS #10, PEM)');

/** Error: `input.invalid` with field `csr`. */
export async function readRequest(pem: string): Promise<Result<CertificateRequest>> {
  const parsed = parseRequest(pem);
  if (!parsed.ok) return parsed;
  const request = parsed.value;
  try {
    if (!(await request.verify(provider))) return err(wrong('the request is not signed by its own key'));
    return ok({
      publicKey: request.publicKey,
      pem: `${request.toString('pem').trimEnd()}\n`,
      commonName: request.subjectName.getField('CN')[0] ?? null,
      fingerprint: sha256Hex(new Uint8Array(request.rawData)),
    });
  } catch {
    return err(notOne);
  }
}

/** The request as it is written, for a key of the right kind; whether it is signed by that key is another question. */
export function parseRequest(pem: string): Result<Pkcs10CertificateRequest> {
  try {
    const request = new Pkcs10CertificateRequest(pem);
    const algorithm = request.publicKey.algorithm as { readonly name: string; readonly namedCurve?: string };
    if (algorithm.name !== 'ECDSA' || !CURVES.includes(algorithm.namedCurve ?? ''))
      return err(wrong('the request must be for an ECDSA key on P-256 or P-384'));
    return ok(request);
  } catch {
    return err(notOne);
  }
}

function wrong(why: string): Problem {
  return problem('input.invalid', why, 'csr');
}
