import type { NeighboursReply } from '@vrouter/api/gateway/gateway.ts';
import { table } from '@vrouter/core/table.ts';

/** Ethernet ports with their addresses, then who is on their links; a table that is longer than an answer says so. */
export function neighboursText(data: NeighboursReply): string {
  const ports = table(
    ['PORT', 'MAC', 'STATE', 'ADDRESS', 'ADDRESS STATE', 'CONFLICTS'],
    data.ports.flatMap((port) => {
      const state = port.up ? 'up' : 'down';
      if (port.addresses.length === 0) return [[port.link, port.mac, state, null, null, null]];
      return port.addresses.map((own) => [port.link, port.mac, state, own.address, own.state, own.conflicts]);
    }),
    'there are no Ethernet ports',
  );
  const neighbours = table(
    ['PORT', 'ADDRESS', 'MAC', 'STATE', 'ANSWERED'],
    data.neighbours.map((row) => [
      row.link,
      row.address,
      row.mac,
      row.state,
      row.confirmedSecondsAgo === null ? null : `${row.confirmedSecondsAgo} s ago`,
    ]),
    'there are no neighbours',
  );
  const more =
    data.total > data.neighbours.length ? `\n\n${data.neighbours.length} of ${data.total} neighbours are shown` : '';
  return `${ports}\n\n${neighbours}${more}`;
}
