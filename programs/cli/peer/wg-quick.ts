/** The file that a peer hands to wg-quick(8). */
import type { CreatePeerReply } from '@vrouter/api/rest/peers.ts';
import { plain } from '../text/table.ts';

export interface PeerSecrets {
  /** Null: the peer has its own and must put it in. */
  readonly privateKey: string | null;
  readonly presharedKey: string | null;
}

/** The whole text. `keepalive`: seconds between the peer's own keepalives, 0 for none. */
export function wgQuickText(reply: CreatePeerReply, secrets: PeerSecrets, keepalive: number): string {
  const { peer, gateway } = reply;
  const lines = [
    `# ${plain(peer.name)}, a peer of ${plain(peer.vrouter)}`,
    '[Interface]',
    secrets.privateKey === null ? '# PrivateKey = the one that the peer keeps' : `PrivateKey = ${secrets.privateKey}`,
    `Address = ${peer.addresses.map(plain).join(', ')}`,
    `MTU = ${gateway.mtu}`,
    '',
    '[Peer]',
    gateway.publicKey === null
      ? '# PublicKey = not known yet: no gateway has joined'
      : `PublicKey = ${plain(gateway.publicKey)}`,
    ...(secrets.presharedKey === null ? [] : [`PresharedKey = ${secrets.presharedKey}`]),
    `Endpoint = ${plain(gateway.endpoint)}`,
    `AllowedIPs = ${gateway.allowedIps.map(plain).join(', ')}`,
    ...(keepalive === 0 ? [] : [`PersistentKeepalive = ${keepalive}`]),
  ];
  return `${lines.join('\n')}\n`;
}
