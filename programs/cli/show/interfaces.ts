import { type InterfaceRow, interfaceRow } from '@vrouter/api/gateway/gateway.ts';
import { plain, table } from '@vrouter/core/table.ts';
import { bytesText } from '@vrouter/core/units.ts';
import { listOf } from '../clients/list.ts';

export const interfacesReply = listOf('interfaces', interfaceRow);

export function interfacesText(data: { readonly interfaces: readonly InterfaceRow[] }): string {
  const rows = table(
    [
      'INTERFACE',
      'STATE',
      'TYPE',
      'VRF',
      'MTU',
      'MSS CLAMP',
      'SOURCE CHECK',
      'ADDRESSES',
      'PORT',
      'RECEIVED',
      'SENT',
      'DROPS',
    ],
    data.interfaces.map((row) => [
      row.name,
      row.state,
      row.type,
      row.vrf,
      row.mtu,
      row.mssClamp === undefined ? null : row.mssClamp ? 'auto' : 'off',
      row.sourceCheck ?? null,
      row.addresses.join(', '),
      row.listenPort,
      bytesText(row.rxBytes),
      bytesText(row.txBytes),
      row.drops,
    ]),
    'there are no interfaces',
  );
  const bare = data.interfaces.filter(({ state, superPackets }) => state === 'up' && superPackets === 'none');
  const slow = bare.map(({ name }) => `${plain(name)} shares no offloads with this kernel: each packet crosses alone.`);
  const commands = data.interfaces.flatMap(({ wgLink }) => (wgLink === null ? [] : [plain(wgLink)]));
  const said = [rows, ...(slow.length === 0 ? [] : ['', ...slow])];
  if (commands.length === 0) return said.join('\n');
  return [...said, '', 'To use wg(8) here, as root:', ...commands.map((command) => `  ${command}`)].join('\n');
}
