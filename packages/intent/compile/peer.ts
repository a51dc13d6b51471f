import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { PeerIntent } from '../model/intents.ts';
import type { PlaneObject } from '../model/objects.ts';
import { allowedIpResource } from '../model/relations.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noInterface } from './missing.ts';

/**
 * The peer, and a route for each of its allowed IPs. An allowed IP belongs to one peer of an interface: who was said later goes
 * without that prefix and keeps the rest. Nested prefixes are fine, the longest wins.
 */
export function compilePeer(intent: PeerIntent, context: CompileContext): Compiled {
  const link = intent.interface;
  const on = context.gatewayInterface(link);
  if (on === null) return pending(noInterface(link));
  const problems: Problem[] = [];
  const allowedIps: string[] = [];
  const routes: PlaneObject[] = [];
  for (const [i, prefix] of intent.allowedIps.entries()) {
    const holder = context.claim(allowedIpResource(link, prefix));
    if (holder === null) {
      allowedIps.push(prefix);
      routes.push({ kind: 'route', vrf: on.vrf, prefix, via: { type: 'link', link, nextHop: null } });
    } else {
      problems.push(
        problem(
          'intent.conflict',
          `${prefix} on ${link} is ${holder}'s; leave it out or remove it there`,
          `allowedIps[${i}]`,
        ),
      );
    }
  }
  const peer: PlaneObject = {
    kind: 'wireguardPeer',
    link,
    publicKey: intent.publicKey,
    presharedKey: intent.presharedKey === null ? null : context.secret(intent.presharedKey),
    allowedIps,
    endpoint: intent.endpoint,
    persistentKeepalive: intent.persistentKeepalive,
  };
  return { objects: [peer, ...routes], problems, usable: true };
}
