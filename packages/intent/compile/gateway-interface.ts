import { problem } from '@vrouter/core/problem.ts';
import type { GatewayInterfaceIntent } from '../model/intents.ts';
import { interfaceNameResource, listenPortResource } from '../model/relations.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { forwarding } from './forwarding.ts';
import { nameTaken, noVrf } from './missing.ts';

export function compileGatewayInterface(intent: GatewayInterfaceIntent, context: CompileContext): Compiled {
  const { name, type, vrf, listenPort, mtu, sourceCheck } = intent;
  const mssClamp = intent.mssClamp === 'auto';
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  const elder = context.claim(interfaceNameResource(name));
  if (elder !== null) return pending(nameTaken(name, elder));
  const holder = listenPort === 0 ? null : context.claim(listenPortResource(listenPort));
  if (holder !== null)
    return pending(
      problem(
        'intent.conflict',
        `UDP port ${listenPort} is ${holder}'s; choose another port for ${name}`,
        'listenPort',
      ),
    );
  const privateKey = context.privateKey(name);
  if (privateKey === null)
    return pending(problem('intent.reference', `${name} has no private key yet; the host makes one`, 'name'));
  return {
    objects: [
      { kind: 'link', name, type, vrf, mtu, adminUp: true, mssClamp, sourceCheck },
      { kind: 'wireguardDevice', link: name, listenPort, privateKey },
      ...forwarding,
    ],
    problems: [],
    usable: true,
  };
}
