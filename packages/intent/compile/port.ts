import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { PortIntent } from '../model/intents.ts';
import { interfaceNameResource } from '../model/relations.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { forwarding } from './forwarding.ts';
import { nameTaken, noVrf } from './missing.ts';

/** The link. Two ports of one device and VLAN would both answer for it, so it is claimed. */
export function compilePort(intent: PortIntent, context: CompileContext): Compiled {
  const { name, vrf, mtu, mac, vlanId, sourceCheck } = intent;
  const mssClamp = intent.mssClamp === 'auto';
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  const holder = context.claim(interfaceNameResource(name));
  if (holder !== null) return pending(nameTaken(name, holder));
  const device = intent.device ?? intent.tap ?? '';
  const other = context.claim(`device/${device}/${vlanId ?? 'untagged'}`);
  if (other !== null) return pending(deviceTaken(device, vlanId, other, intent.tap === null ? 'device' : 'tap'));
  const type = intent.tap === null ? 'port' : 'tap';
  return {
    objects: [
      { kind: 'link', name, type, vrf, mtu, adminUp: true, mssClamp, sourceCheck, device, mac, vlanId },
      ...forwarding,
    ],
    problems: [],
    usable: true,
  };
}

function deviceTaken(device: string, vlanId: number | null, holder: string, field: string): Problem {
  const frames = vlanId === null ? 'without a tag' : `of VLAN ${vlanId}`;
  return problem('intent.conflict', `frames ${frames} of ${device} are ${holder}'s; choose another interface`, field);
}
