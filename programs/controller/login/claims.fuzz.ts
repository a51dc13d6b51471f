/** Any text as an ID token, as a nonce, as a device's handle and as claims: what is wrong is a doubt, and what is good is what the rules say. */
import { parsePersonName } from '@vrouter/core/names.ts';
import { type Claims, groupsOf, nameOf, roleOfGroups } from './claims.ts';
import { openHandle } from './device.ts';
import { DoubtError, readClaims } from './id-token.ts';
import { judgeNonce, newNonce } from './nonce.ts';

export const name = 'controller/id-token';

const key = new Uint8Array(32).fill(7);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = {
  iss: 'https://x.example',
  sub: 'kim',
  aud: ['v'],
  nonce: 'n',
  groups: ['a'],
  realm_access: { roles: ['a'] },
};

export const seeds: readonly Uint8Array[] = [
  `${part({ alg: 'RS256', kid: 'k' })}.${part(claims)}.c2ln`,
  `${part({ alg: 'none' })}.${part(claims)}.`,
  newNonce(key, 1_800_000_000_000).nonce,
  JSON.stringify(claims),
  JSON.stringify({ groups: 'a', preferred_username: 'kim', email: 'kim@example.org' }),
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  try {
    openHandle('key', text);
    throw new Error('a handle that nobody sealed was good');
  } catch (thrown) {
    if (!(thrown instanceof DoubtError)) throw thrown;
  }
  try {
    const { subject, claims } = readClaims(text, 'v');
    if (subject === '') throw new Error('a token of nobody');
    look(claims);
  } catch (thrown) {
    if (!(thrown instanceof DoubtError)) throw thrown;
  }
  const judged = judgeNonce(key, text, 1_800_000_000_000, 0);
  if (judged.good && judged.expiresUnixMs > 1_800_000_600_000) throw new Error('a nonce of the future');
  const value = parse(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) look(value as Claims);
}

function look(claims: Claims): void {
  for (const claim of ['groups', 'realm_access.roles', '__proto__.x', 'a.b.c']) {
    const role = roleOfGroups(groupsOf(claims, claim), new Map([['a', 'admin']]));
    if (role !== null && !JSON.stringify(claims).includes('"a"')) throw new Error('a role out of nothing');
  }
  if (!parsePersonName(nameOf(claims, null, 'https://x.example', String(claims.sub))).ok) throw new Error('no name');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
