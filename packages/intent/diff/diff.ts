/** Where what should be and what is differ, by the class of each field. Cost follows the keys that are looked at. */
import {
  type ObjectKey,
  type ObjectKind,
  type Observed,
  objectKey,
  objectKinds,
  type PlaneObject,
} from '../model/objects.ts';
import { fieldOf, sameValue } from '../model/same.ts';

export type Difference =
  /** Should be and is not. */
  | { readonly kind: 'missing'; readonly key: ObjectKey; readonly desired: PlaneObject }
  /** Is, is ours, and should not be. */
  | { readonly kind: 'extra'; readonly key: ObjectKey; readonly observed: PlaneObject }
  | {
      readonly kind: 'changed';
      readonly key: ObjectKey;
      readonly desired: PlaneObject;
      readonly observed: PlaneObject;
      /** Names of the fields that differ, in the order of `objectKinds`; empty only when `replace` is for a parent's sake. */
      readonly fields: readonly string[];
      /** No plane can change it in place: it is deleted and created. */
      readonly replace: boolean;
    };

/** Differences of these keys alone. Unordered as the keys are; `plan` sorts. */
export function diffKeys(
  keys: Iterable<ObjectKey>,
  desired: (key: ObjectKey) => PlaneObject | undefined,
  observed: (key: ObjectKey) => Observed | undefined,
): Difference[] {
  const differences: Difference[] = [];
  for (const key of keys) {
    const difference = diffOne(key, desired(key), observed(key)?.object);
    if (difference !== null) differences.push(difference);
  }
  return differences;
}

/** All differences of two worlds: for start-up and for the audit. `builtIn` are the plane's own keys, never created or deleted. */
export function diffAll(
  desired: Iterable<PlaneObject>,
  observed: Iterable<Observed>,
  builtIn: Iterable<ObjectKey> = [],
): Difference[] {
  const left = new Map<ObjectKey, Observed>();
  for (const seen of observed) left.set(seen.key, seen);
  for (const key of builtIn) left.delete(key);
  const differences: Difference[] = [];
  for (const object of desired) {
    const key = objectKey(object);
    const difference = diffOne(key, object, left.get(key)?.object);
    left.delete(key);
    if (difference !== null) differences.push(difference);
  }
  for (const { key, object } of left.values()) differences.push({ kind: 'extra', key, observed: object });
  return differences;
}

function diffOne(
  key: ObjectKey,
  desired: PlaneObject | undefined,
  observed: PlaneObject | undefined,
): Difference | null {
  if (desired === undefined) return observed === undefined ? null : { kind: 'extra', key, observed };
  if (observed === undefined) return { kind: 'missing', key, desired };
  const fields = comparedFields[desired.kind].filter(
    (name) => !sameValue(fieldOf(desired, name), fieldOf(observed, name)),
  );
  if (fields.length === 0) return null;
  const replace = fields.some((name) => isFixed(desired.kind, name));
  return { kind: 'changed', key, desired, observed, fields, replace };
}

function isFixed(kind: ObjectKind, field: string): boolean {
  const fixed: readonly string[] = objectKinds[kind].fixed;
  return fixed.includes(field);
}

/** Which fields are compared, worked out once: desired ones by value, secrets by fingerprint; keys, initial and learned ones never. */
const comparedFields: { readonly [K in ObjectKind]: readonly string[] } = {
  sysctl: compared('sysctl'),
  isolation: compared('isolation'),
  dnsZone: compared('dnsZone'),
  dnsRecord: compared('dnsRecord'),
  rule: compared('rule'),
  neighbour: compared('neighbour'),
  vrf: compared('vrf'),
  link: compared('link'),
  wireguardDevice: compared('wireguardDevice'),
  wireguardPeer: compared('wireguardPeer'),
  address: compared('address'),
  route: compared('route'),
  natSettings: compared('natSettings'),
  natPool: compared('natPool'),
  natRule: compared('natRule'),
};

function compared(kind: ObjectKind): readonly string[] {
  const fields = Object.entries(objectKinds[kind].fields);
  return fields.filter(([, of]) => of === 'desired' || of === 'writeOnly').map(([name]) => name);
}
