/** One-time tokens of a JWK provisioner: compact JWS (RFC 7515), ES256. */
import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A provisioner as its tokens name it. */
export interface ProvisionerKey {
  /** The provisioner's name, exactly. */
  readonly name: string;
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

export interface TokenClaims {
  /** What the token is for: URL of the call at the CA; its port does not matter. */
  readonly audience: string;
  readonly subject: string;
  readonly sans: readonly string[];
  /** DER of the certificate request that alone may be signed with it; null for other calls. */
  readonly requestDer: Uint8Array | null;
  /** When it claims to be made, Unix ms. */
  readonly issuedUnixMs: number;
}

/** How long a token is good, ms. */
const LIFE_MS = 5 * 60_000;

export function oneTimeToken(key: ProvisionerKey, claims: TokenClaims): string {
  const issued = Math.floor(claims.issuedUnixMs / 1000);
  const header = { alg: 'ES256', kid: key.keyId, typ: 'JWT' };
  const body = {
    iss: key.name,
    aud: claims.audience,
    sub: claims.subject,
    sans: claims.sans,
    jti: randomBytes(32).toString('hex'),
    iat: issued,
    nbf: issued,
    exp: issued + LIFE_MS / 1000,
    ...(claims.requestDer === null
      ? {}
      : { cnf: { 'x5rt#S256': createHash('sha256').update(claims.requestDer).digest('base64url') } }),
  };
  const signed = `${base64url(header)}.${base64url(body)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
