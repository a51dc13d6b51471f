/** The file that a peer hands to wg-quick(8): the same from the controller, vrouterctl and the demo. */
import { plain } from '@vrouter/core/table.ts';
import type { PeerReply } from '../rest/peers.ts';

export interface PeerSecrets {
  /** Null: the peer has its own and must put it in. */
  readonly privateKey: string | null;
  /** Null: there is none, or it is not known here; the reply says which. */
  readonly presharedKey: string | null;
}

/** The whole text. `keepalive`: seconds between the peer's own keepalives, 0 for none. What a server said cannot add lines to it. */
export function wgQuickText({ peer, gateway }: PeerReply, secrets: PeerSecrets, keepalive: number): string {
  const lines = [
    `# ${plain(peer.name)}, a peer of ${plain(peer.vrouter)}`,
    '[Interface]',
    ...(secrets.privateKey === null
      ? ['# Put the private key here whose public key is', `# ${plain(peer.publicKey)}`, 'PrivateKey = <yours>']
      : [`PrivateKey = ${secrets.privateKey}`]),
    `Address = ${peer.addresses.map(plain).join(', ')}`,
    `MTU = ${gateway.mtu}`,
    '',
    '[Peer]',
    gateway.publicKey === null
      ? '# PublicKey = not known before a gateway has joined; ask again then'
      : `PublicKey = ${plain(gateway.publicKey)}`,
    ...presharedLines(secrets.presharedKey, peer.hasPresharedKey),
    `Endpoint = ${plain(gateway.endpoint)}`,
    `AllowedIPs = ${gateway.allowedIps.map(plain).join(', ')}`,
    ...(keepalive === 0 ? [] : [`PersistentKeepalive = ${keepalive}`]),
  ];
  return `${lines.join('\n')}\n`;
}

function presharedLines(key: string | null, wanted: boolean): string[] {
  if (key !== null) return [`PresharedKey = ${key}`];
  return wanted ? ['# PresharedKey = <the one that you gave>'] : [];
}
