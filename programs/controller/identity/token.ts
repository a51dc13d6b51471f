/** The text of a token, `PREFIX_<8-character id>_<43-character secret>`: `vra` for REST; `vrj`, a join token, is in ../join. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { sha256Hex } from '../ca/keys.ts';

export interface NewToken {
  readonly id: string;
  readonly text: string;
  /** SHA-256 of the secret, hex; a fast hash will do, since the secret is 256 random bits. */
  readonly secretHash: string;
}

export interface TokenParts {
  readonly id: string;
  readonly secret: string;
}

/** Without those that look like others. There are 32, so that a byte chooses evenly. */
const ID_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';

export function newTokenText(prefix: 'vra' | 'vrj'): NewToken {
  const id = [...randomBytes(8)].map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('');
  const secret = randomBytes(32).toString('base64url');
  return { id, text: `${prefix}_${id}_${secret}`, secretHash: sha256Hex(secret) };
}

/** Null when this is no such token at all. */
export function parseTokenText(prefix: 'vra' | 'vrj', text: string): TokenParts | null {
  const match = /^(vr[aj])_([a-z0-9]{8})_([A-Za-z0-9_-]{43})$/.exec(text);
  return match?.[1] === prefix ? { id: match[2]!, secret: match[3]! } : null;
}

/** Compares in constant time; `secretHash` null (no such token) takes as long and is false. */
export function secretMatches(secret: string, secretHash: string | null): boolean {
  const given = Buffer.from(sha256Hex(secret), 'hex');
  const kept = Buffer.from(secretHash ?? sha256Hex(''), 'hex');
  return timingSafeEqual(given, kept) && secretHash !== null;
}

/** The API token in an Authorization header (RFC 6750, section 2.1); `missing` when there is no header, null when it is something else. */
export function parseBearer(header: string | undefined): TokenParts | 'missing' | null {
  if (header === undefined || header === '') return 'missing';
  const match = /^bearer +(\S+) *$/i.exec(header);
  return match === null ? null : parseTokenText('vra', match[1]!);
}
