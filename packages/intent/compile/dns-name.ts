import { problem } from '@vrouter/core/problem.ts';
import type { DnsNameIntent } from '../model/intents.ts';
import type { PlaneObject } from '../model/objects.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noNetwork } from './missing.ts';

/** A record for each address under the name and each of its aliases. */
export function compileDnsName(intent: DnsNameIntent, context: CompileContext): Compiled {
  const { network: zone, addresses, aliases } = intent;
  const network = context.network(zone);
  if (network === null) return pending(noNetwork(zone));
  if (!network.dns)
    return pending(
      problem('intent.reference', `the gateway of ${zone} answers no names: say "dns: true" there`, 'network'),
    );
  const objects: PlaneObject[] = [];
  for (const name of [intent.name, ...aliases])
    for (const data of addresses)
      objects.push({ kind: 'dnsRecord', zone, name, type: data.includes(':') ? 'AAAA' : 'A', data });
  return { objects, problems: [], usable: true };
}
