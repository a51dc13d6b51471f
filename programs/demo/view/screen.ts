/** The live table as text. Pure but for the clock that it is handed. */
import { relative } from 'node:path';
import type { PeerRow, StatusReply } from '@vrouter/api/gateway/gateway.ts';
import type { Vrouter } from '@vrouter/api/rest/vrouters.ts';
import { table } from '@vrouter/core/table.ts';
import { bytesText, spanText, whenText } from '@vrouter/core/units.ts';
import type { Network } from '../world/network.ts';

export interface LiveState {
  delivered: number;
  lost: number;
  /** Per peer, the bytes and the time of the last look, for rates. */
  readonly before: Map<string, { bytes: number; at: number }>;
  readonly clientFile: string;
}

export interface LiveFacts {
  readonly network: Network;
  readonly vrouters: readonly Vrouter[];
  readonly peers: readonly PeerRow[] | null;
  readonly status: StatusReply | null;
}

export function renderScreen(facts: LiveFacts, state: LiveState, withHints: boolean): string {
  const { network } = facts;
  const lines = [
    'vrouter: a network of your own on this machine. Ctrl-C ends it; the state stays.',
    '',
    table(['GATEWAY', 'STATE', 'VERSION', 'ENGINE', 'PLANE', 'CERTIFICATE'], gatewayRows(facts), 'no gateway yet'),
    '',
    table(
      ['PEER', 'PLAYED BY', 'ADDRESS', 'HANDSHAKE', 'RECEIVED', 'SENT', 'RATE'],
      peerRows(facts, state),
      'no peers yet',
    ),
    '',
    `${state.delivered} packets delivered whole, ${state.lost} lost`,
  ];
  if (!withHints) return lines.join('\n');
  const here = (path: string): string => relative(process.cwd(), path) || path;
  const socket = network.gateway.socketPath;
  const isDefault = here(socket) === '.vrouter/gateway/vrouterd.sock';
  const onSocket = isDefault ? '' : ` --socket ${here(socket)}`;
  const onController = network.controller.url.endsWith(':8080') ? '' : ` --controller ${network.controller.url}`;
  const withToken = isDefault ? '' : ` --token-file ${here(network.controller.tokenPath)}`;
  return [
    ...lines,
    '',
    `API, with pages to try it:  ${network.controller.url}/docs (Authorize there with the token in ${here(network.controller.tokenPath)})`,
    'Try in another terminal:',
    `  ./vrouterctl${onSocket} show peers`,
    `  ./vrouterctl${onSocket} watch`,
    `  ./vrouterctl${onController}${withToken} peer remove demo bob`,
    `For a WireGuard client of your own (as root): wg-quick up ${here(state.clientFile)}`,
    `Logs: ${here(network.path('logs'))}`,
    '',
  ].join('\n');
}

function gatewayRows({ vrouters, status }: LiveFacts): string[][] {
  return vrouters.map((vrouter) => {
    const { connected, appliedVersion, version, certificateExpiresUnixMs, plane } = vrouter.status;
    const certificate =
      certificateExpiresUnixMs === null ? '-' : `${spanText(certificateExpiresUnixMs - Date.now())} left`;
    const engine = status?.engine === null || status === null ? 'away' : `pid ${status.engine.pid}`;
    const applied = appliedVersion === version ? `${version}` : `${appliedVersion ?? '-'} of ${version}`;
    return [vrouter.name, connected ? 'polling' : 'away', applied, engine, plane ?? '-', certificate];
  });
}

function peerRows({ network, peers }: LiveFacts, state: LiveState): string[][] {
  const now = performance.now();
  return (peers ?? []).map((row) => {
    const bytes = row.rxBytes + row.txBytes;
    const before = state.before.get(row.publicKey);
    const seconds = before === undefined ? 0 : (now - before.at) / 1000;
    const rate = before === undefined || seconds === 0 ? 0 : (bytes - before.bytes) / seconds;
    state.before.set(row.publicKey, { bytes, at: now });
    const played = network.peers.find((peer) => peer.name === row.name)?.program ?? 'you?';
    const handshake = whenText(row.lastHandshakeUnixMs, Date.now());
    const address = row.allowedIps[0]?.replace(/\/.*/, '') ?? '-';
    return [
      row.name,
      played,
      address,
      handshake,
      bytesText(row.rxBytes),
      bytesText(row.txBytes),
      `${bytesText(Math.max(0, rate))}/s`,
    ];
  });
}
