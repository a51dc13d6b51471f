import { problem } from '@vrouter/core/problem.ts';
import type { FloatingIpIntent } from '../model/intents.ts';
import { floatingResources } from '../model/relations.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noVrf } from './missing.ts';

/** The rule. An address is in one pair of its VRF. */
export function compileFloatingIp(intent: FloatingIpIntent, context: CompileContext): Compiled {
  const { vrf, address, fixedAddress } = intent;
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  const holders = floatingResources(vrf, address, fixedAddress).map((resource) => context.claim(resource));
  for (const [i, field] of (['address', 'fixedAddress'] as const).entries())
    if (holders[i] !== null)
      return pending(
        problem('intent.conflict', `${intent[field]} is ${holders[i]}'s already; choose another address`, field),
      );
  const name = `floating/${vrf}/${address}`;
  const match = { type: 'address', address } as const;
  const to = { type: 'host', address: fixedAddress } as const;
  return { objects: [{ kind: 'natRule', name, vrf, match, to, hairpin: true }], problems: [], usable: true };
}
