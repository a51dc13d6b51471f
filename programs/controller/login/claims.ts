/** What an ID token says of a person, in our words: a name and a role. The token is verified elsewhere (id-token.ts). */
import type { Role } from '@vrouter/api/rest/identity.ts';
import { parsePersonName } from '@vrouter/core/names.ts';
import { sha256Hex } from '../ca/keys.ts';
import { suffices } from '../identity/roles.ts';

export type Claims = { readonly [name: string]: unknown };

export interface ClaimRules {
  /** Claim that lists groups: its own name, or a path into objects with dots, `realm_access.roles`. */
  readonly rolesClaim: string;
  /** Roles by the values of that claim. */
  readonly roles: ReadonlyMap<string, Role>;
  /** Claim with the name; null: `preferred_username`, else `email`. */
  readonly nameClaim: string | null;
}

const USUAL_NAMES = ['preferred_username', 'email'];
/** No more values are looked at; nobody is in so many groups. */
const VALUES_MAX = 5000;

/** The values of the claim that roles come from; a single one may stand without a list. */
export function groupsOf(claims: Claims, claim: string): string[] {
  const value = claimOf(claims, claim);
  const list = Array.isArray(value) ? value.slice(0, VALUES_MAX) : [value];
  return list.filter((one): one is string => typeof one === 'string');
}

/** The highest of the roles that they give; null when they give none. */
export function roleOfGroups(groups: readonly string[], roles: ClaimRules['roles']): Role | null {
  let highest: Role | null = null;
  for (const group of groups) {
    const role = roles.get(group);
    if (role !== undefined && (highest === null || !suffices(highest, role))) highest = role;
  }
  return highest;
}

/**
 * How the person is to be called: what the claim says, if that is a name for us; else the subject; else something made of it. It is for
 * eyes alone: who it is, issuer and subject say.
 */
export function nameOf(claims: Claims, nameClaim: string | null, issuer: string, subject: string): string {
  for (const claim of nameClaim === null ? USUAL_NAMES : [nameClaim]) {
    const value = claimOf(claims, claim);
    if (typeof value === 'string' && parsePersonName(value).ok) return value;
  }
  return parsePersonName(subject).ok ? subject : `person-${sha256Hex(JSON.stringify([issuer, subject])).slice(0, 12)}`;
}

function claimOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let at: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Claims)[part];
  }
  return at;
}
