/**
 * Whether an ID token was made by the provider, for this controller, just now (OpenID Connect Core 1.0, section 3.1.3.7). What costs
 * nothing is looked at first, so that no nonsense makes us ask the provider for keys.
 */
import { decodeJwt, decodeProtectedHeader, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Claims } from './claims.ts';

/** Clocks may differ by so much, ms. */
export const SKEW_MS = 60_000;
/** Signatures that only the provider can make: no `none`, and none with a secret that others share (RFC 8725, section 3.1). */
export const ALGORITHMS: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** OpenID Connect Core 1.0, section 2 */
const SUBJECT_MAX = 255;

/** Why a token is refused, for the audit and the metrics. */
export type Doubt =
  | 'malformed'
  | 'algorithm'
  | 'type'
  | 'issuer'
  | 'audience'
  | 'authorizedParty'
  | 'subject'
  | 'nonceMissing'
  | 'nonceUnknown'
  | 'nonceExpired'
  | 'nonceUsed'
  | 'expired'
  | 'notYet'
  | 'key'
  | 'signature'
  | 'code'
  | 'device'
  | 'denied';

export class DoubtError extends Error {
  readonly doubt: Doubt;

  constructor(doubt: Doubt) {
    super(doubt);
    this.doubt = doubt;
  }
}

/** What a token claims, before anything of it is believed. */
export interface Claimed {
  /** '' when there is none. */
  readonly nonce: string;
  readonly issuer: string;
  readonly subject: string;
  readonly claims: Claims;
}

/** Reads a token and judges what needs no key. Throws DoubtError. */
export function readClaims(token: string, clientId: string): Claimed {
  const { header, claims } = decode(token);
  if (typeof header.alg !== 'string' || !ALGORITHMS.includes(header.alg)) throw new DoubtError('algorithm');
  // Access tokens and logout tokens of the same provider say what they are (RFC 8725, section 3.11); ID tokens say nothing, or JWT.
  if (header.typ !== undefined && String(header.typ).toUpperCase() !== 'JWT') throw new DoubtError('type');
  const { iss, sub, aud, azp, nonce } = claims;
  if (typeof iss !== 'string') throw new DoubtError('issuer');
  if (typeof sub !== 'string' || sub === '' || sub.length > SUBJECT_MAX || sub.includes('\0'))
    throw new DoubtError('subject');
  const audience = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? aud : [];
  if (!audience.includes(clientId)) throw new DoubtError('audience');
  // With several audiences it must be said to whom it was given; and if that is said, it must be us.
  if (azp === undefined ? audience.length > 1 : azp !== clientId) throw new DoubtError('authorizedParty');
  return { nonce: typeof nonce === 'string' ? nonce : '', issuer: iss, subject: sub, claims };
}

export interface Expected {
  readonly issuer: string;
  readonly clientId: string;
  /** An ID token was made no longer ago than this, ms: as long as its nonce is good. */
  readonly ageMs: number;
  readonly nowUnixMs: number;
}

/** Verifies signature and times; `key` finds the provider's. Throws DoubtError, and what `key` throws that jose does not know. */
export async function verifySignature(token: string, key: JWTVerifyGetKey, expected: Expected): Promise<void> {
  const { issuer, clientId, ageMs, nowUnixMs } = expected;
  const rules = {
    algorithms: [...ALGORITHMS],
    issuer,
    audience: clientId,
    requiredClaims: ['exp', 'iat', 'sub'],
    clockTolerance: SKEW_MS / 1000,
    maxTokenAge: ageMs / 1000,
    currentDate: new Date(nowUnixMs),
  };
  try {
    await jwtVerify(token, key, rules);
  } catch (thrown) {
    // A token may not say which key it is, of several: then one of them fits.
    if (!(thrown instanceof errors.JWKSMultipleMatchingKeys)) throw doubtOf(thrown);
    for await (const one of thrown) {
      try {
        await jwtVerify(token, one, rules);
        return;
      } catch (again) {
        if (!(again instanceof errors.JWSSignatureVerificationFailed)) throw doubtOf(again);
      }
    }
    throw new DoubtError('signature');
  }
}

function decode(token: string): { header: { readonly alg?: unknown; readonly typ?: unknown }; claims: Claims } {
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    throw new DoubtError('malformed');
  }
}

function doubtOf(thrown: unknown): unknown {
  if (thrown instanceof errors.JWTExpired) return new DoubtError('expired');
  if (thrown instanceof errors.JWTClaimValidationFailed) {
    if (thrown.claim === 'iss') return new DoubtError('issuer');
    if (thrown.claim === 'aud') return new DoubtError('audience');
    const early = thrown.reason === 'check_failed' && ['iat', 'nbf'].includes(thrown.claim);
    return new DoubtError(early ? 'notYet' : 'malformed');
  }
  if (thrown instanceof errors.JOSEAlgNotAllowed) return new DoubtError('algorithm');
  if (thrown instanceof errors.JWKSNoMatchingKey) return new DoubtError('key');
  if (thrown instanceof errors.JWSSignatureVerificationFailed) return new DoubtError('signature');
  const unread = [errors.JWSInvalid, errors.JWTInvalid, errors.JOSENotSupported];
  if (unread.some((one) => thrown instanceof one)) return new DoubtError('malformed');
  return thrown;
}
