import type { NatReply } from '@vrouter/api/gateway/gateway.ts';
import { table } from '@vrouter/core/table.ts';
import { bytesText } from '@vrouter/core/units.ts';

/** Rules with what they have done, then sessions; a table that is longer than an answer says so. */
export function natText(data: NatReply): string {
  const rules = table(
    ['RULE', 'VRF', 'MATCH', 'TO', 'SESSIONS', 'PACKETS', 'BYTES', 'SOURCE'],
    data.rules.map((row) => [
      row.name,
      row.vrf,
      row.match,
      row.to,
      row.sessions,
      row.packets,
      bytesText(row.bytes),
      row.source,
    ]),
    'there are no NAT rules',
  );
  const sessions = table(
    ['PROTOCOL', 'INSIDE', 'OUTSIDE', 'REMOTE', 'STATE', 'ENDS IN', 'RULE'],
    data.sessions.map((row) => [
      row.protocol,
      row.inside,
      row.outside,
      row.remote,
      row.state,
      `${row.expiresInSeconds} s`,
      row.rule,
    ]),
    'there are no sessions',
  );
  const more =
    data.total > data.sessions.length ? `\n\n${data.sessions.length} of ${data.total} sessions are shown` : '';
  return `${rules}\n\n${sessions}${more}\n\n${limitsText(data)}`;
}

/** Counts against limits, and lives. */
function limitsText({ total, hosts, mostOfHost, limits }: NatReply): string {
  const { udpSeconds, udpOneWaySeconds, tcpEstablishedSeconds, tcpTransitorySeconds, icmpSeconds } = limits;
  return [
    `sessions    ${total} of ${limits.sessions}`,
    `per host    ${mostOfHost} of ${limits.sessionsPerHost} at most, ${hosts} ${hosts === 1 ? 'host' : 'hosts'}`,
    `idle for    UDP ${udpSeconds} s (one way ${udpOneWaySeconds} s), TCP ${tcpEstablishedSeconds} s (opening or closing ${tcpTransitorySeconds} s), ICMP ${icmpSeconds} s`,
  ].join('\n');
}
