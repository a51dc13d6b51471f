/** Two peers that swap prefixes, two devices that swap ports: neither can go first as a whole. */
import type { PlaneObject } from '../model/objects.ts';
import { updateEffect } from './effects.ts';
import type { Step } from './step.ts';

/**
 * An update in two: `first` changes everything but takes nothing new, so others can have what it frees; `rest` takes. Null when the
 * step cannot be split; then the plane refuses one of the circle, says so, and the next look tries again.
 */
export function vacate(step: Step): { readonly first: Step; readonly rest: Step } | null {
  if (step.op !== 'update') return null;
  const { key, object, before, changed } = step;
  const [field, between] = withoutNew(before, object);
  if (between === null) return null;
  return {
    first: { op: 'update', key, object: between, before, changed, effect: updateEffect(before, between, changed) },
    rest: {
      op: 'update',
      key,
      object,
      before: between,
      changed: [field],
      effect: updateEffect(between, object, [field]),
    },
  };
}

function withoutNew(before: PlaneObject, after: PlaneObject): readonly [string, PlaneObject | null] {
  if (before.kind === 'wireguardPeer' && after.kind === 'wireguardPeer') {
    const had = new Set(before.allowedIps);
    return ['allowedIps', { ...after, allowedIps: after.allowedIps.filter((prefix) => had.has(prefix)) }];
  }
  // Port 0 is any free one.
  if (after.kind === 'wireguardDevice') return ['listenPort', { ...after, listenPort: 0 }];
  return ['', null];
}
