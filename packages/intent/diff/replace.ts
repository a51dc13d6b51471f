/**
 * An object that has to be deleted and created takes what stands on it along. Who stands on it is looked up in the whole world, once
 * and only when something is replaced: its dependants are most of the work then anyway.
 */
import { type ObjectKey, type Observed, objectKey, type PlaneObject } from '../model/objects.ts';
import { parentsOf } from '../model/relations.ts';
import type { Difference } from './diff.ts';

/** The differences, and a replacement for everything that stands on a replaced object and would itself stay as it is. */
export function withDependants(
  differences: readonly Difference[],
  desired: Iterable<PlaneObject>,
  observed: Iterable<Observed>,
): readonly Difference[] {
  const replaced: ObjectKey[] = differences.filter((d) => d.kind === 'changed' && d.replace).map((d) => d.key);
  if (replaced.length === 0) return differences;

  const children = new Map<ObjectKey, ObjectKey[]>();
  const seen = new Map<ObjectKey, PlaneObject>();
  for (const { key, object } of observed) {
    seen.set(key, object);
    for (const parent of parentsOf(object)) {
      const list = children.get(parent);
      if (list === undefined) children.set(parent, [key]);
      else list.push(key);
    }
  }
  const wanted = new Map<ObjectKey, PlaneObject>();
  for (const object of desired) wanted.set(objectKey(object), object);

  const byKey = new Map(differences.map((difference) => [difference.key, difference]));
  const visited = new Set<ObjectKey>();
  for (let next = replaced.pop(); next !== undefined; next = replaced.pop()) {
    if (visited.has(next)) continue;
    visited.add(next);
    for (const key of children.get(next) ?? []) {
      const before = seen.get(key)!;
      const after = wanted.get(key);
      // One that should not be is among the differences as extra, and is deleted in time without more words.
      if (after === undefined) continue;
      const known = byKey.get(key);
      const fields = known?.kind === 'changed' ? known.fields : [];
      byKey.set(key, { kind: 'changed', key, desired: after, observed: before, fields, replace: true });
      replaced.push(key);
    }
  }
  return [...byKey.values()];
}
