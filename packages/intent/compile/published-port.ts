import { problem } from '@vrouter/core/problem.ts';
import type { PublishedPortIntent } from '../model/intents.ts';
import { publishedResources } from '../model/relations.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noVrf } from './missing.ts';

/** The rule. A port of an address is published once; one of every address stands behind one that names its own. */
export function compilePublishedPort(intent: PublishedPortIntent, context: CompileContext): Compiled {
  const { vrf, hostAddress, protocol, hostPort, count } = intent;
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  const last = hostPort + count - 1;
  let taken: string | null = null;
  for (const resource of publishedResources(vrf, hostAddress, protocol, hostPort, last))
    taken ??= context.claim(resource);
  if (taken !== null)
    return pending(
      problem('intent.conflict', `${protocol} port ${hostPort} is published by ${taken}; choose another`, 'hostPort'),
    );
  const name = `port/${vrf}/${hostAddress ?? '*'}/${protocol}/${hostPort}`;
  const match = { type: 'destination', address: hostAddress, protocol, ports: [hostPort, last] } as const;
  const to = { type: 'inside', address: intent.address, port: intent.port } as const;
  return { objects: [{ kind: 'natRule', name, vrf, match, to, hairpin: true }], problems: [], usable: true };
}
