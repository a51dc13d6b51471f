import { problem } from '@vrouter/core/problem.ts';
import type { MasqueradeIntent } from '../model/intents.ts';
import type { NatTarget, PlaneObject } from '../model/objects.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noVrf } from './missing.ts';

/** Ports given to inside hosts: none of those that services are known by. */
const PORTS = [1024, 65_535] as const;

/** The rule, and a pool of its own when addresses are named. */
export function compileMasquerade(intent: MasqueradeIntent, context: CompileContext): Compiled {
  const { vrf, prefix, leaving, addresses } = intent;
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  for (const [i, name] of (leaving ?? []).entries())
    if (context.anyInterface(name) === null)
      return pending(
        problem(
          'intent.reference',
          `there is no working interface "${name}" yet; this waits until it is there`,
          `leaving[${i}]`,
        ),
      );
  const name = `masquerade/${vrf}/${prefix}`;
  const pool: PlaneObject[] = addresses === null ? [] : [{ kind: 'natPool', name, addresses, ports: PORTS }];
  const to: NatTarget = addresses === null ? { type: 'egress' } : { type: 'pool', pool: name };
  const match = { type: 'source', prefix, leaving } as const;
  return { objects: [...pool, { kind: 'natRule', name, vrf, match, to, hairpin: true }], problems: [], usable: true };
}
