/** When two objects are the same: value by value, secrets by fingerprint. Both sides are canonical, so order counts. */
import type { Secret, SecretFingerprint } from '@vrouter/core/secret.ts';
import type { PlaneObject } from './objects.ts';

/** Deep equality of the values that objects and intents are made of. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isSecret(a) || isSecret(b)) return isSecret(a) && isSecret(b) && a.fingerprint === b.fingerprint;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!sameValue(a[i], b[i])) return false;
    return true;
  }
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  for (const name of names) if (!Object.hasOwn(b, name) || !sameValue(field(a, name), field(b, name))) return false;
  return true;
}

/** The value of a field by its name, as tables of fields need it. */
export function fieldOf(object: PlaneObject, name: string): unknown {
  return field(object, name);
}

function field(object: object, name: string): unknown {
  return (object as { readonly [name: string]: unknown })[name];
}

/** A Secret, or the fingerprint that a plane tells of one. */
export function isSecret(value: unknown): value is Secret | SecretFingerprint {
  return typeof value === 'object' && value !== null && 'fingerprint' in value && typeof value.fingerprint === 'string';
}
