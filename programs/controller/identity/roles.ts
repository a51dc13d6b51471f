/** Which role may do what another may. */
import { type Role, roles } from '@vrouter/api/rest/identity.ts';

/** Whether who has `held` may do what asks for `needed`. */
export function suffices(held: Role, needed: Role): boolean {
  return roles.indexOf(held) >= roles.indexOf(needed);
}

/** The one of the two that may do less. */
export function lesser(a: Role, b: Role): Role {
  return suffices(a, b) ? b : a;
}
