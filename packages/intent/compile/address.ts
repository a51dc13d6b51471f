import { formatPrefix, networkOf, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import type { AddressIntent } from '../model/intents.ts';
import type { PlaneObject } from '../model/objects.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noInterface } from './missing.ts';

/** The address, and the route to its network. A /32 or /128 has no network beside itself; planes know their own addresses. */
export function compileAddress(intent: AddressIntent, context: CompileContext): Compiled {
  const link = intent.interface;
  const on = context.anyInterface(link);
  if (on === null) return pending(noInterface(link));
  const parsed = parseInterfaceAddress(intent.address, 'address');
  if (!parsed.ok) return pending(parsed.error);
  const objects: PlaneObject[] = [{ kind: 'address', link, address: intent.address }];
  if (parsed.value.bits < parsed.value.address.length * 8)
    objects.push({
      kind: 'route',
      vrf: on.vrf,
      prefix: formatPrefix(networkOf(parsed.value)),
      via: { type: 'link', link, nextHop: null },
    });
  return { objects, problems: [], usable: true };
}
