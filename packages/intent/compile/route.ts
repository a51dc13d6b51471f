import type { RouteIntent } from '../model/intents.ts';
import type { RouteVia } from '../model/objects.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noInterface, noVrf } from './missing.ts';

/** A route may leave through an interface of another VRF: that is how VRFs are joined on purpose. */
export function compileRoute(intent: RouteIntent, context: CompileContext): Compiled {
  if (!context.hasVrf(intent.vrf)) return pending(noVrf(intent.vrf));
  let via: RouteVia = { type: 'blackhole' };
  if (intent.interface !== null) {
    if (context.anyInterface(intent.interface) === null) return pending(noInterface(intent.interface));
    via = { type: 'link', link: intent.interface, nextHop: intent.nextHop };
  }
  for (const [i, path] of (intent.paths ?? []).entries())
    if (context.anyInterface(path.interface) === null)
      return pending({ ...noInterface(path.interface), field: `paths[${i}].interface` });
  if (intent.paths !== undefined)
    via = {
      type: 'paths',
      paths: intent.paths.map(({ interface: link, nextHop, weight }) => ({ link, nextHop, weight })),
    };
  return { objects: [{ kind: 'route', vrf: intent.vrf, prefix: intent.prefix, via }], problems: [], usable: true };
}
