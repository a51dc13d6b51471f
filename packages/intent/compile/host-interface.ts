import { formatPrefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import type { HostInterfaceIntent } from '../model/intents.ts';
import type { PlaneObject } from '../model/objects.ts';
import { interfaceNameResource } from '../model/relations.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { nameTaken, noVrf } from './missing.ts';

/** The link with what the host has on its side, and a route to each of the host's addresses: those alone are known to be there. */
export function compileHostInterface(intent: HostInterfaceIntent, context: CompileContext): Compiled {
  const { name, vrf, mtu, sourceCheck, addresses, routes } = intent;
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  const holder = context.claim(interfaceNameResource(name));
  if (holder !== null) return pending(nameTaken(name, holder));
  const objects: PlaneObject[] = [
    {
      kind: 'link',
      name,
      type: 'tun',
      vrf,
      mtu,
      adminUp: true,
      mssClamp: intent.mssClamp === 'auto',
      sourceCheck,
      hostAddresses: addresses,
      hostRoutes: routes,
    },
  ];
  for (const [i, text] of addresses.entries()) {
    const parsed = parseInterfaceAddress(text, `addresses[${i}]`);
    if (!parsed.ok) return pending(parsed.error);
    const { address } = parsed.value;
    const prefix = formatPrefix({ address, bits: address.length * 8 });
    objects.push({ kind: 'route', vrf, prefix, via: { type: 'link', link: name, nextHop: null } });
  }
  return { objects, problems: [], usable: true };
}
