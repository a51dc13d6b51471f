/** What of the model the engine holds. Everything else is refused before it is asked. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { LinkType as EngineLinkType } from '@vrouter/engine/control/messages.ts';
import type { LinkObject, NatRuleObject, ObjectKind, PlaneObject } from '@vrouter/intent/model/objects.ts';

export const engineKinds = [
  'vrf',
  'link',
  'wireguardDevice',
  'address',
  'wireguardPeer',
  'route',
  'natSettings',
  'natPool',
  'natRule',
] as const satisfies readonly ObjectKind[];

export const engineLinkTypes: readonly EngineLinkType[] = ['wireguard', 'tun', 'port', 'tap'];

/** An object that the engine may be asked for. */
export type EngineObject =
  | Exclude<Extract<PlaneObject, { kind: (typeof engineKinds)[number] }>, LinkObject>
  | (LinkObject & { readonly type: EngineLinkType });

/** Throws TypeError for an object that `refusalOf` refuses. */
export function engineObject(object: PlaneObject): EngineObject {
  const refused = refusalOf(object);
  if (refused !== null) throw new TypeError(refused.message);
  return object as EngineObject;
}

/** Why the engine does not hold it; null: it does. `intent.unsupported`. */
export function refusalOf(object: PlaneObject): Problem | null {
  if (!engineKinds.some((kind) => kind === object.kind)) return unsupported(object.kind, 'kind');
  switch (object.kind) {
    case 'link':
      if (object.bridge !== undefined) return unsupported('bridge', 'bridge');
      return engineLinkTypes.some((type) => type === object.type)
        ? null
        : unsupported(`link of the type ${object.type}`, 'type');
    case 'route':
      return object.via.type === 'paths' ? unsupported('route with several ways', 'paths') : null;
    case 'natRule':
      return natRefusal(object);
    case 'natPool':
      return object.addresses.some(isIpv6) ? unsupported('translation of IPv6', 'addresses') : null;
    default:
      return null;
  }
}

function natRefusal({ match, to }: NatRuleObject): Problem | null {
  if (match.type === 'destination' && match.protocol === 'sctp') return unsupported('translation of SCTP', 'protocol');
  const ofMatch = match.type === 'source' ? match.prefix : (match.address ?? '');
  const ofTarget = to.type === 'inside' || to.type === 'host' ? to.address : '';
  return isIpv6(ofMatch) || isIpv6(ofTarget) ? unsupported('translation of IPv6', 'address') : null;
}

const isIpv6 = (text: string): boolean => text.includes(':');

function unsupported(what: string, field: string): Problem {
  return problem('intent.unsupported', `the userspace plane has no ${what}; "plane: linux" has`, field);
}
