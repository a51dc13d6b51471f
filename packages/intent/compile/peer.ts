import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { PeerIntent } from '../model/intents.ts';
import type { PlaneObject } from '../model/objects.ts';
import { allowedIpResource } from '../model/relations.ts';
import { type CompileContext, type Compiled, pending, type SeenSuccessor } from './context.ts';
import { noInterface } from './missing.ts';

/**
 * The peer, and a route for each of its allowed IPs. An allowed IP belongs to one peer of an interface: who was said later goes
 * without that prefix and keeps the rest. Nested prefixes are fine, the longest wins. While another key is to succeed the peer's, both
 * are there, and the allowed IPs with the one that was heard last (cryptokey routing: the WireGuard paper, section 2).
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
  const peers = keysOf(intent, context.successor(link, intent.publicKey)).map(
    ({ publicKey, presharedKey, holds }): PlaneObject => ({
      kind: 'wireguardPeer',
      link,
      publicKey,
      presharedKey: presharedKey === null ? null : context.secret(presharedKey),
      allowedIps: holds ? allowedIps : [],
      endpoint: intent.endpoint,
      persistentKeepalive: intent.persistentKeepalive,
    }),
  );
  return { objects: [...peers, ...routes], problems, usable: true };
}

interface PeerKeys {
  readonly publicKey: string;
  readonly presharedKey: string | null;
  /** Whether the allowed IPs are with this one. */
  readonly holds: boolean;
}

function keysOf({ publicKey, presharedKey }: PeerIntent, next: SeenSuccessor | null): readonly PeerKeys[] {
  const old = { publicKey, presharedKey, holds: true };
  if (next === null || next.state === 'closed') return [old];
  const successor = { publicKey: next.publicKey, presharedKey: next.presharedKey };
  // A session goes on with the preshared key that it began with, so where only that is another, its overlap is the session.
  if (next.state === 'taken' || next.publicKey === publicKey) return [{ ...successor, holds: true }];
  return [old, { ...successor, holds: false }];
}
