/** Networks for people. */
import type { ChangeReply } from '@vrouter/api/gateway/intents.ts';
import type { NetworkReply, NetworkRow, NetworksReply } from '@vrouter/api/gateway/networks.ts';
import { pairs, table } from '@vrouter/core/table.ts';
import { rangeText, withPort } from './port-text.ts';

/** What was made, with what was chosen for it. */
export function createdText({ put }: ChangeReply): string {
  const network = put[0]?.intent as unknown as NetworkRow | null | undefined;
  if (network == null) return 'created';
  return `created ${network.id}: ${placeText(network)}, ${network.subnets.map(subnetText).join(', ')}`;
}

export function networksText({ networks }: NetworksReply): string {
  const rows = networks.map((row) => [
    row.id,
    row.interface,
    row.state,
    row.subnets.map(({ prefix }) => prefix).join(', '),
    kindText(row),
    row.names.length,
    row.ports.length,
    row.source,
    row.problems[0]?.message ?? null,
  ]);
  return table(
    ['ID', 'INTERFACE', 'STATE', 'SUBNETS', 'REACHES', 'NAMES', 'PORTS', 'SAID BY', 'PROBLEM'],
    rows,
    'there are no networks; make one with: vrouterctl network create ID',
  );
}

export function networkText({ network: row }: NetworkReply): string {
  const parts = [
    pairs([
      ['network', row.id],
      ['said by', row.source],
      ['link', placeText(row)],
      ['state', row.state],
      ['MAC address', row.mac],
      ['MTU', row.mtu],
      ['subnets', row.subnets.map(subnetText).join(', ')],
      ['reaches', kindText(row)],
      [
        'names',
        row.dns ? `answered by the gateway${row.domain === null ? '' : `, also below ${row.domain}`}` : 'not answered',
      ],
      ...(row.dns && !row.internal
        ? ([['other names', `asked of ${row.dnsServers?.join(', ') ?? 'whom the host asks'}`]] as const)
        : []),
    ]),
  ];
  const names = row.names.map((name) => [name.name, name.addresses.join(', '), name.aliases.join(', '), name.source]);
  if (names.length > 0) parts.push(table(['NAME', 'ADDRESSES', 'ALIASES', 'SAID BY'], names, ''));
  const ports = row.ports.map((port) => [
    `${port.protocol}/${rangeText(port.hostPort, port.count)}`,
    port.hostAddress ?? '0.0.0.0',
    withPort(port.address, port.port, port.count),
    port.source,
  ]);
  if (ports.length > 0) parts.push(table(['PORT', 'HOST ADDRESS', 'TO', 'SAID BY'], ports, ''));
  const problems = row.problems.map(({ key, code, message }) => [key, code, message]);
  if (problems.length > 0) parts.push(table(['PROBLEM OF', 'CODE', 'WHY'], problems, ''));
  return parts.join('\n\n');
}

function placeText(row: Pick<NetworkRow, 'interface' | 'attachment' | 'parent' | 'vlanId'>): string {
  return row.attachment === 'vlan'
    ? `${row.interface}, VLAN ${row.vlanId} of ${row.parent}`
    : `bridge ${row.interface}`;
}

function subnetText({ prefix, gateway }: NetworkRow['subnets'][number]): string {
  return `${prefix} (gateway ${gateway})`;
}

function kindText({ internal, nat }: NetworkRow): string {
  if (internal) return 'nothing outside';
  return nat ? 'outside, as the host' : 'outside, as itself';
}
