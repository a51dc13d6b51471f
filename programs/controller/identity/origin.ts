/** Where users come from, and how the audit names them. */
import type { User } from '@vrouter/api/rest/identity.ts';

/** `issuer`: the provider, null of a local user. */
export function originOf(issuer: string | null): User['origin'] {
  return issuer === null ? 'local' : 'oidc';
}

/** `kim`, or `oidc/kim`, which no local user can be called: the audit goes on saying it when the user is long gone. */
export function actorName(name: string, issuer: string | null): string {
  return issuer === null ? name : `oidc/${name}`;
}
