/** Peers that nobody plays, for tests of tables: they have endpoints, and nobody is greeted. */
import type { Action } from '@vrouter/engine/control/messages.ts';
import { systemRng } from '@vrouter/host/crypto/system.ts';

/**
 * Lists of actions, one after the other: `count` peers of the link with a route each, then their endpoints. A new peer with an endpoint would
 * be sent a handshake, one that is there already is not. Peer n has 10.(n / 256).(n % 256).0/24, n below 25,000.
 */
export function manyPeers(link: string, count: number): readonly (readonly Action[])[] {
  const rng = systemRng();
  const peers: Action[] = [];
  const endpoints: Action[] = [];
  const routes: Action[] = [];
  for (let n = 0; n < count; n++) {
    const key = new Uint8Array(32);
    rng.fill(key);
    const prefix = `10.${n >>> 8}.${n & 255}.0/24`;
    const common = { do: 'peer.set', link, presharedKey: null, persistentKeepalive: 0 } as const;
    const peer: Action = { ...common, publicKey: key.toBase64(), allowedIps: [prefix] };
    peers.push(peer);
    endpoints.push({ ...peer, endpoint: `127.1.${n >>> 8}.${n & 255}:${1024 + n}` });
    routes.push({ do: 'route.set', vrf: 'default', prefix, link, nextHop: null });
  }
  return [peers, endpoints, routes];
}
