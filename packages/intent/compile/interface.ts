import { problem } from '@vrouter/core/problem.ts';
import type { InterfaceIntent } from '../model/intents.ts';
import type { LinkObject } from '../model/objects.ts';
import { interfaceNameResource } from '../model/relations.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { forwarding } from './forwarding.ts';
import { nameTaken, noVrf } from './missing.ts';

/** The link, and for a veth the name of its other end, which nobody else is to have. */
export function compileInterface(intent: InterfaceIntent, context: CompileContext): Compiled {
  const { name, type, vrf, mtu, mac, sourceCheck, bridge, parent, mode, peer, vni, local, remote, udpPort } = intent;
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  const holder = context.claim(interfaceNameResource(name));
  if (holder !== null) return pending(nameTaken(name, holder));
  const other = peer === null ? null : context.claim(interfaceNameResource(peer));
  if (other !== null)
    return pending(problem('intent.conflict', `the interface name ${peer} is ${other}'s; choose another`, 'peer'));
  const link: LinkObject = {
    kind: 'link',
    name,
    type,
    vrf,
    mtu,
    adminUp: true,
    mssClamp: intent.mssClamp === 'auto',
    sourceCheck,
    mac,
    ...(bridge === null ? {} : { bridge }),
    ...(parent === null ? {} : { parent }),
    ...(mode === null ? {} : { mode }),
    ...(peer === null ? {} : { peer }),
    ...(vni === null || udpPort === null ? {} : { vni, local, remote, udpPort }),
  };
  return { objects: [link, ...forwarding], problems: [], usable: true };
}
