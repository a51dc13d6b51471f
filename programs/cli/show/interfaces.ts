import { type InterfaceRow, interfaceRow } from '@vrouter/api/gateway/gateway.ts';
import { listOf } from '../clients/list.ts';
import { table } from '../text/table.ts';
import { bytesText } from '../text/units.ts';

export const interfacesReply = listOf('interfaces', interfaceRow);

export function interfacesText(data: { readonly interfaces: readonly InterfaceRow[] }): string {
  return table(
    ['INTERFACE', 'STATE', 'TYPE', 'VRF', 'MTU', 'ADDRESSES', 'PORT', 'RECEIVED', 'SENT', 'DROPS'],
    data.interfaces.map((row) => [
      row.name,
      row.state,
      row.type,
      row.vrf,
      row.mtu,
      row.addresses.join(', '),
      row.listenPort,
      bytesText(row.rxBytes),
      bytesText(row.txBytes),
      row.drops,
    ]),
    'there are no interfaces',
  );
}
