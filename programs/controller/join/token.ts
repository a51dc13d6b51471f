/** Join tokens, `vrj_<8-character id>_<43-character secret>`, and the join string that carries one to a gateway. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { sha256Hex } from '../ca/keys.ts';

export interface NewToken {
  readonly id: string;
  readonly text: string;
  /** SHA-256 of the secret, hex; a fast hash will do, since the secret is 256 random bits. */
  readonly secretHash: string;
}

const ID_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';

export function newToken(): NewToken {
  const id = [...randomBytes(8)].map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('');
  const secret = randomBytes(32).toString('base64url');
  return { id, text: `vrj_${id}_${secret}`, secretHash: sha256Hex(secret) };
}

/** Null when this is no token at all. */
export function parseToken(text: string): { readonly id: string; readonly secret: string } | null {
  const match = /^vrj_([a-z0-9]{8})_([A-Za-z0-9_-]{43})$/.exec(text);
  return match === null ? null : { id: match[1]!, secret: match[2]! };
}

/** Compares in constant time; `secretHash` null (no such token) takes as long and is false. */
export function secretMatches(secret: string, secretHash: string | null): boolean {
  const given = Buffer.from(sha256Hex(secret), 'hex');
  const kept = Buffer.from(secretHash ?? sha256Hex(''), 'hex');
  return timingSafeEqual(given, kept) && secretHash !== null;
}

/** All that a gateway needs: where the controller is, the token, and how to know the controller for the right one. */
export function joinString(agentsUrl: string, token: string, rootFingerprint: string): string {
  return `${agentsUrl}/#${token}~${rootFingerprint}`;
}
