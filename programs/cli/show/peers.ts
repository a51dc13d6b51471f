import { type PeerRow, peerRow } from '@vrouter/api/gateway/gateway.ts';
import { table } from '@vrouter/core/table.ts';
import { bytesText, whenText } from '@vrouter/core/units.ts';
import { listOf } from '../clients/list.ts';

export const peersReply = listOf('peers', peerRow);

export function peersText(data: { readonly peers: readonly PeerRow[] }, nowUnixMs: number): string {
  return table(
    [
      'INTERFACE',
      'PEER',
      'PUBLIC KEY',
      'ENDPOINT',
      'ALLOWED IPS',
      'HANDSHAKE',
      'PATH MTU',
      'RECEIVED',
      'SENT',
      'SOURCE',
    ],
    data.peers.map((row) => [
      row.interface,
      row.name,
      row.publicKey,
      row.endpoint,
      row.allowedIps.join(', '),
      whenText(row.lastHandshakeUnixMs, nowUnixMs),
      row.pathMtu,
      bytesText(row.rxBytes),
      bytesText(row.txBytes),
      row.source,
    ]),
    'there are no peers',
  );
}
