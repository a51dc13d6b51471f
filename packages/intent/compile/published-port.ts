import { problem } from '@vrouter/core/problem.ts';
import type { PublishedPortIntent } from '../model/intents.ts';
import { publishedResources } from '../model/relations.ts';
import { EVERY_IPV6 } from '../validate/intent.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noNetwork, noVrf } from './missing.ts';

/** The rule. A port of an address is published once; one of every address stands behind one that names its own. */
export function compilePublishedPort(intent: PublishedPortIntent, context: CompileContext): Compiled {
  const { vrf, hostAddress, protocol, hostPort, count } = intent;
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  if (intent.network !== undefined && context.network(intent.network) === null)
    return pending(noNetwork(intent.network));
  const last = hostPort + count - 1;
  let taken: string | null = null;
  for (const resource of publishedResources(vrf, hostAddress, protocol, hostPort, last))
    taken ??= context.claim(resource);
  if (taken !== null)
    return pending(
      problem('intent.conflict', `${protocol} port ${hostPort} is published by ${taken}; choose another`, 'hostPort'),
    );
  const name = `port/${vrf}/${hostAddress ?? '*'}/${protocol}/${hostPort}`;
  const named = hostAddress === EVERY_IPV6 ? null : hostAddress;
  const match = { type: 'destination', address: named, protocol, ports: [hostPort, last] } as const;
  const to = { type: 'inside', address: intent.address, port: intent.port } as const;
  return { objects: [{ kind: 'natRule', name, vrf, match, to, hairpin: true }], problems: [], usable: true };
}
